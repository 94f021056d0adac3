"""What a person reads: no word of a table or of the help is cut, however narrow the terminal."""

import pytest
from cases.networks import fixed_chain
from click.testing import CliRunner

from snnc import store
from snnc.cli import main
from snnc.report.terminal import print_table


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.snnc"
    store.save(fixed_chain(0, (12, 20, 5)), path)
    return str(path)


def shown(*words):
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_help_of_every_verb_fits_its_line():
    text = shown("--help").partition("Commands:")[2]
    assert text.count("\n") > 10
    assert not [line for line in text.splitlines() if line.endswith("...")]
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("verb", ["inspect", "check"])
def test_no_header_and_no_value_is_cut(verb, model):
    text = shown(verb, model, *(["--hw", "loihi1"] if verb == "check" else []))
    assert "\u2026" not in text
    for word in {"inspect": ["connectivity", "kept", "but", "exponent", "step"], "check": ["12/4,096", "2.0%"]}[verb]:
        assert word in text.split(), word
    assert max(map(len, text.partition("\ncase fits")[0].splitlines())) <= 80


def test_bars_are_drawn_where_there_is_room(model, monkeypatch):
    assert "....." not in shown("check", model, "--hw", "loihi1")
    monkeypatch.setenv("COLUMNS", "120")
    assert "....." in shown("check", model, "--hw", "loihi1")


def test_cells_are_text_and_never_markup(capsys):
    print_table("", ("a",), [("[/b] [red]x :smile:",), (1234567,), (True,)])
    assert capsys.readouterr().out.split()[2:] == ["[/b]", "[red]x", ":smile:", "1,234,567", "True"]
