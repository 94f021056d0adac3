"""The documents name things that exist."""

import re

import pytest
from click.testing import CliRunner
from conftest import ROOT

from snnc.cli import VERBS, main

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


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


def test_the_readme_names_verbs_and_options_that_exist():
    lines = re.findall(r"^snnc .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) >= 9
    for line in lines:
        verb, *words = line.split("#")[0].split()[1:]
        assert verb in VERBS
        text = CliRunner().invoke(main, [verb, "--help"]).stdout
        for word in words:
            assert not word.startswith("-") or word in text, line


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    done = CliRunner().invoke(main, [verb, "--help"])
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 5
