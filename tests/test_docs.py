"""The documents name things that exist."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner
from conftest import ROOT

from snnc.cli import VERBS, main

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def name(path):
    return path.name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_named_tests_exist(page):
    for file, test in re.findall(r"`(tests/\w+\.py)::(\w+)`", page.read_text()):
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def commands(page):
    """The lines of a page's shell blocks, without their remarks; lines that go on are joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_verbs_and_options_in_commands_exist(page):
    for line in commands(page):
        if not line.startswith("snnc "):
            continue
        verb, *words = shlex.split(line)[1:]
        if verb.startswith("-"):
            continue
        assert verb in VERBS, line
        text = CliRunner().invoke(main, [verb, "--help"]).stdout
        if "COMMAND [ARGS]" in text and words:
            text += CliRunner().invoke(main, [verb, words[0], "--help"]).stdout
        for word in words:
            assert not re.match(r"--?[a-z]", word) or word.split("=")[0] in text, line


def test_the_readme_and_the_tutorial_have_commands():
    assert sum(line.startswith("snnc ") for line in commands(ROOT / "README.md")) >= 9
    assert sum(line.startswith("snnc ") for line in commands(ROOT / "docs" / "tutorial.md")) >= 9


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.parametrize("page", ["docs/tutorial.md", "README.md"])
def test_the_commands_of_the_chain_run_as_they_are_written(page, tmp_path):
    """In the order of the page, in an empty folder; those of the shell's own and of make are left out, and installing."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    wanted = [line for line in commands(ROOT / page) if re.match(r"snnc (?!import|sweep|doctor)", line)]
    assert len(wanted) >= 9
    for line in wanted:
        words = [sys.executable, "-m", "snnc", *shlex.split(line)[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if " verify " in f" {line} ":
            assert "EXACT" in done.stdout, line


def test_the_site_builds_without_a_warning(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stderr
    for verb in VERBS:
        assert f"snnc {verb}" in (tmp_path / "site" / "reference" / "cli.html").read_text()
    assert "read_recording" in (tmp_path / "site" / "reference" / "python.html").read_text()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    done = CliRunner().invoke(main, [verb, "--help"])
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 5


def test_every_rule_of_the_contract_names_its_test():
    rows = re.findall(r"^\|(?! *-+)(.*)\|$", (ROOT / "docs" / "numeric_contract.md").read_text(), re.MULTILINE)
    rules = [row for row in rows if not re.search(r"\| proved by *$", row)]
    assert len(rules) > 30
    for rule in rules:
        assert "`tests/" in rule or "`test_" in rule, rule


def test_the_training_loop_of_the_docs_prunes():
    """docs/own-models.md, with a network and a loader as its reader has them."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'snnc[train]'")
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "own-models.md").read_text(), re.MULTILINE | re.DOTALL)
    torch.manual_seed(0)
    names = {"net": torch.nn.Sequential(torch.nn.Linear(20, 30), torch.nn.Linear(30, 5)), "epochs": 10, "loader": range(20)}
    exec(compile(block, "docs/own-models.md", "exec"), names)
    for _ in range(200):
        names["optimizer"].zero_grad()
        names["net"](torch.rand(8, 20)).square().sum().backward()
        names["optimizer"].step()
    weights = [layer.weight for layer in names["net"]]
    kept = sum(int(torch.count_nonzero(weight)) for weight in weights)
    assert kept == round(0.05 * sum(weight.numel() for weight in weights))
