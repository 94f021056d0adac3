"""Remedies that work: every option, command, extra and verb that a message or a skipped test names exists."""

import ast
import re
import tomllib
from functools import cache

import pytest
from click.testing import CliRunner
from conftest import ROOT

from snnc.cli import VERBS, main

SOURCES = sorted(p for folder in ("toolchain", "exporters") for p in (ROOT / folder).rglob("*.py"))
EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
OTHERS = {"--no-deps", "--ignore-requires-python", "--binary", "--timing", "--top-module"}  # of pip and verilator
OPTION = re.compile(r"(?<![\w-])(?<!var\()--[a-z][a-z-]+")
VERB_OF_FILE = {f"{name}_.py" if name == "import" else f"{name}.py": name for name in VERBS}


@cache
def help_of(verb):
    text = CliRunner().invoke(main, [verb, "--help"]).stdout
    for line in re.findall(r"^  (\w+) ", text.partition("Commands:")[2], re.MULTILINE):
        text += CliRunner().invoke(main, [verb, line, "--help"]).stdout
    return text


def texts(node):
    """The text of a string, formatted values as x; none for what is computed elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def strings(path):
    """(line, text) of every string of a module that is no docstring."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
    bodies = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and node.body]
    left_out = {id(first.value) for first in bodies if isinstance(first, ast.Expr)}
    left_out |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in left_out:
            for text in texts(node):
                yield node.lineno, text


def wrong_options(sources, root):
    """What is wrong with the options in the messages of some modules, each as a sentence with its place."""
    messages = [(path, line, text) for path in sources for line, text in strings(path) if " " in text]
    return [f"{path.relative_to(root)}:{line}: {wrong}" for path, line, text in messages for wrong in wrong_in(path, text)]


def wrong_in(path, text):
    for command in re.findall(r"snnc ((?:[a-z]+)(?: [^;,()]*)?)", text):
        verb, *rest = command.split()
        if verb in VERBS:
            yield from (
                f"{verb} has no {o}" for o in OPTION.findall(" ".join(rest)) if o not in help_of(verb) and o not in OTHERS
            )
    own = VERB_OF_FILE.get(path.name) if path.parent.name == "cli" else None
    of_program = set(re.findall(r'add_argument\("(--[a-z-]+)"', path.read_text()))  # a program that artifacts get
    for option in sorted(set(OPTION.findall(text)) - OTHERS - of_program):
        if not any(option in help_of(verb) for verb in VERBS):
            yield f"no verb has {option}"
        elif own and option not in help_of(own) and not re.search(r"snnc [a-z]+[^;]*" + option, text):
            yield f"{own} has no {option}, and the message names no other verb"


def test_options_exist_in_the_verb_that_is_named_or_else_in_one():
    """An option of `snnc VERB` in that verb; one alone in the verb of the file, or where verbs share the code, in any."""
    wrong = wrong_options(SOURCES, ROOT)
    assert not wrong, "\n".join(wrong)


def test_extras_exist_and_nobody_is_sent_to_a_package_that_is_not_published():
    wrong = []
    for path in [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        text = path.read_text()
        named = re.findall(r"pip install '\.\[([\w,]+)\]'", text)
        wrong += [f"{path}: {name}" for name in named if not set(name.split(",")) <= EXTRAS]
        wrong += [f"{path}: {line}" for line in re.findall(r"pip install '?snnc" + r"\b.*", text)]
    assert not wrong, wrong


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    assert help_of(verb).startswith("Usage: ")


def test_a_wrong_remedy_would_be_found(tmp_path):
    """An option that no verb has, and one of another verb."""
    folder = tmp_path / "cli"
    folder.mkdir()
    for name, text in (("map.py", "prune it, or allow more with --max-synapses 3"), ("check.py", "use --nowhere at all")):
        (folder / name).write_text(f"FIX = {text!r}\n")
    wrong = wrong_options([folder / "map.py", folder / "check.py"], tmp_path)
    assert any("map has no --max-synapses" in one for one in wrong)
    assert any("no verb has --nowhere" in one for one in wrong)
