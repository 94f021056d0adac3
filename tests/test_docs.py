"""The documents name things that exist."""

import os
import re
import subprocess
import sys

import click
import pytest
from cases.blocks import PAGES, commands, spans, words
from click.testing import CliRunner
from conftest import ROOT

import snnc
from snnc.cli import VERBS, main
from snnc.neurons.cuba import Cuba
from snnc.verification.compare import cause


def name(path):
    return path.name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_named_tests_exist(page):
    for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text()):
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


def test_pages_name_many_tests():
    """The pattern of the test above sees them."""
    assert sum(len(re.findall(r"`tests/[\w/]+\.py::\w+`", page.read_text())) for page in PAGES) > 40


def test_the_picture_of_the_readme_has_the_numbers_of_its_tables():
    picture, readme = (ROOT / "docs" / "images" / "chain.svg").read_text(), (ROOT / "README.md").read_text()
    tables = readme.split("```text\n")[1]
    numbers = re.findall(r">(\d[\d,.]*%?)", picture)
    assert len(numbers) == 8
    for number in numbers:
        assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d.,])", tables), number


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_verbs_and_options_in_commands_exist(page):
    """In shell blocks and in the text."""
    for line in [line for line in commands(page) if line.startswith("snnc ")] + spans(page):
        verb, *rest = words(line.replace("`", ""))
        if verb.startswith("-") or verb == "VERB":
            continue
        for each in verb.split("|"):
            assert each in VERBS, line
        text = CliRunner().invoke(main, [verb, "--help"]).stdout
        if "COMMAND [ARGS]" in text and rest:
            text += CliRunner().invoke(main, [verb, rest[0], "--help"]).stdout
        for word in rest:
            assert not re.match(r"--?[a-z]", word) or word.split("=")[0].rstrip(".,") in text, line


def test_the_site_builds_without_a_warning(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stderr
    for verb in VERBS:
        assert f"snnc {verb}" in (tmp_path / "site" / "reference" / "cli.html").read_text()
    assert (tmp_path / "site" / "how-to" / "write-a-target.html").exists()
    results = re.findall(
        r"<code>results/[^<]*</code>(.*)</li>", (tmp_path / "site" / "reference" / "benchmarks.html").read_text()
    )
    assert len(results) == len(list((ROOT / "results").iterdir()))
    assert all("told in" in result or "by <code>" in result for result in results)
    reference = (tmp_path / "site" / "reference" / "python.html").read_text()
    headings = re.findall(r"^\s*snnc\.(\w+)\s*$", re.sub(r"<[^>]+>", "", reference), re.MULTILINE)
    assert set(headings) >= set(snnc.__all__) - {"__version__"}


def test_the_table_of_divergences_has_what_verify_says():
    page, same = (ROOT / "docs" / "how-to" / "read-a-divergence.md").read_text(), {"u": (1, 1), "v": (0, 0)}
    rows = re.findall(r"^\| (?!the verdict says)([^|]*) \|[^|]*\|[^|]*\|$", page, re.MULTILINE)
    found = [((0, 0), {**same, "u": (1, 2)}), ((0, 1), same), ((0, 0), {**same, "v": (0, 1)}), ((0, 1), {})]
    assert rows == [cause(*differing, Cuba) for differing in found]
    assert f"look at {rows[0]}" in page


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    done = CliRunner().invoke(main, [verb, "--help"])
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 5
    command = main.get_command(click.Context(main), verb)
    for option in (option for option in command.params if isinstance(option, click.Option)):
        assert re.search(r"[.\]]$", option.help), f"{option.name}: {option.help}"


def test_every_rule_of_the_contract_names_its_test():
    rows = re.findall(r"^\|(?! *-+)(.*)\|$", (ROOT / "docs" / "numeric_contract.md").read_text(), re.MULTILINE)
    rules = [row for row in rows if not re.search(r"\| proved by *$", row)]
    assert len(rules) > 30
    for rule in rules:
        assert "`tests/" in rule or "`test_" in rule, rule
