"""What `make docs` adds to the pages: the command line and the library from the code, and the documents of the root folder."""

import ast
import json
import re
from pathlib import Path

import click
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "toolchain" / "snnc"
REPOSITORY = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def on_files(files, config):
    """Generated pages beside those of the folder."""
    pages = {page: (ROOT / name).read_text() for name, page in REPOSITORY.items()}
    pages |= {"reference/cli.md": command_line(), "reference/python.md": library(), "reference/benchmarks.md": benchmarks()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links to what is no page (results, constraints) become plain words; those between documents lead to their pages."""
    here = page.file.src_uri
    if here in REPOSITORY.values():
        markdown = markdown.replace("](docs/images/", "](images/")
    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)", lambda found: _link(found, here), markdown)


def _link(found, here):
    words, target, anchor = found[1], found[2], found[3] or ""
    generated = {page: name for name, page in REPOSITORY.items()}
    base = ROOT / generated.get(here, f"docs/{here}")
    file = (base.parent / target).resolve()
    name = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else ""
    page = REPOSITORY.get(name) or (name.removeprefix("docs/") if name.startswith("docs/") and file.suffix == ".md" else "")
    if file.exists() and not page:
        return f"{words} (`{name}`)" if words != name else f"`{name}`"
    if not page:
        return found[0]  # mkdocs says what is wrong with it
    return f"[{words}]({'../' * here.count('/')}{page}{anchor})"


def command_line():
    """Every verb with its own help text."""
    from snnc.cli import VERBS, main

    parts = ["# Command line\n\nWritten by `snnc VERB --help`.\n"]
    for verb in VERBS:
        context = click.Context(main.get_command(click.Context(main), verb), info_name=f"snnc {verb}", terminal_width=100)
        parts.append(f"## snnc {verb}\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(parts)


def library():
    """Every public function and class of the library's own modules, with its docstring."""
    parts = [
        "# Python\n\nThe public functions and classes, from their docstrings. The first line of a module says where it stands.\n"
    ]
    for path in sorted(SOURCE.glob("*.py")):
        if not path.name.startswith("_"):
            parts.append(module(path))
    return "\n".join(parts)


def module(path):
    """A module's page part."""
    tree = ast.parse(path.read_text())
    parts = [f"## snnc.{path.stem}\n\n{_plain(ast.get_docstring(tree))}\n"]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            parts.append(f"### {node.name}\n\n```python\n{_signature(node)}\n```\n\n{_plain(ast.get_docstring(node))}\n")
    return "\n".join(parts)


def _signature(node):
    if isinstance(node, ast.ClassDef):
        fields = [ast.unparse(line) for line in node.body if isinstance(line, ast.AnnAssign)]
        return "\n    ".join([f"class {node.name}:", *fields])
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){returns}"


def _plain(docstring):
    return (docstring or "").replace("<", "&lt;").replace("[", "\\[")


def benchmarks():
    """Every benchmark in a line, with the raw results that are kept."""
    rows = [f"| `{path.name}` | {_first(path)} |" for path in sorted((ROOT / "benchmarks").glob("*.py"))]
    table = "\n".join(["| benchmark | what it measures |", "|---|---|", *rows])
    kept = "\n".join(f"- `results/{path.name}`: {_told(path)}" for path in sorted((ROOT / "results").iterdir()))
    return f"# Benchmarks\n\nEach prints its result and the command that makes it again.\n\n{table}\n\n## Raw results\n\n{kept}\n"


def _first(path):
    return (
        " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0].split())
        .replace("|", "\\|")
        .replace("[", "\\[")
    )


def _told(path):
    """How a result was made, and the pages that tell about it."""
    body = json.loads(path.read_text()) if path.suffix == ".json" else {}
    maker = ROOT / "benchmarks" / f"{path.stem}.py"
    said = [f"`{body['command']}`"] if "command" in body else [f"by `benchmarks/{maker.name}`"] if maker.exists() else []
    pages = {f"../{page.name}": page.read_text() for page in sorted((ROOT / "docs").glob("*.md"))}
    pages["../index.md"] = (ROOT / "README.md").read_text()
    told = [f"[{text.splitlines()[0].lstrip('# ')}]({link})" for link, text in pages.items() if f"results/{path.name}" in text]
    return "; ".join([*said, *([f"told in {', '.join(told)}"] if told else [])])
