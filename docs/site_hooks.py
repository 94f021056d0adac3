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
    pages |= {"reference/cli.md": command_line(), "reference/python.md": python_api(), "reference/benchmarks.md": benchmarks()}
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


SECTIONS = {
    "Files": ("load", "save", "read"),
    "Train and prune": ("train", "prune", "prune_to_fit"),
    "To a chip": ("limit", "quantise", "simplify", "check", "remedies", "map", "export"),
    "Run, compare, prove": ("simulate", "evaluate", "contrast", "verify", "prove_ranges"),
    "Look": ("inspect", "report", "chips", "targets", "neurons", "supported"),
}
PACKAGES = {"chips": "chips.profile.names", "targets": "targets.target.names", "neurons": "neurons.names"}
PACKAGES["report"] = "report.write.write_report"


def python_api():
    """Every name of the public API, which mkdocstrings documents from its docstring."""
    import snnc

    listed = [name for names in SECTIONS.values() for name in names]
    rest = [name for name in snnc.__all__ if name not in listed and name not in ("__version__", "optim", "plugin")]
    errors = [name for name in rest if name.endswith("Error")]
    sections = {**SECTIONS, "Types": [name for name in rest if name not in errors], "Errors": errors}
    parts = [
        "# Python\n\nThe public API: `import snnc`. Everything else is internal. [Use snnc from Python](../from-python.md)\n"
    ]
    for title, names in sections.items():
        parts.append(f"## {title}\n")
        parts += [_documented(name) for name in names]
    parts.append("## snnc.optim\n\n::: snnc.training.methods.grad_r.GradR\n")
    parts.append("::: snnc.training.models.weights.parameter_groups\n")
    parts.append("## snnc.plugin\n\n" + ", ".join(f"`{name}`" for name in snnc.plugin.__all__) + "\n")
    return "\n".join(parts)


def _documented(name):
    place = PACKAGES.get(name, name)
    return f"::: snnc.{place}\n    options:\n      heading: snnc.{name}\n      toc_label: {name}\n"


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
