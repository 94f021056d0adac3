"""snnc report: what a run or a sweep came to, as a page to open or as Markdown for a pull request."""

from pathlib import Path

import click

from snnc.base.files import must_be_free, write_bytes
from snnc.cli._common import PATH, force_option, json_option, print_json
from snnc.errors import UsageError


@click.command("report", short_help="Write a page about a run or a sweep.")
@click.argument("folder", type=PATH)
@click.option("-o", "--out", type=PATH, help="Where to write the page (.html), or with --md the text.")
@click.option("--md", "as_markdown", is_flag=True, help="Markdown for a pull request; without --out it is printed.")
@click.option("--hw", "chip", help="Hardware profile, if the run names one that snnc does not bring along.")
@force_option
@json_option
def command(folder: Path, out: Path | None, as_markdown: bool, chip: str | None, force: bool, as_json: bool) -> None:
    """Write what FOLDER, of snnc run or snnc sweep, holds: verdicts, accuracy over connectivity, layers, weights, budgets, the
    chip, rasters, ranges, provenance. What the folder does not hold is called "not recorded".

    The page is one file, asks no network, and needs nothing but a browser.
    """
    from snnc.report.compose import not_recorded, report_of
    from snnc.report.markdown import markdown
    from snnc.report.page import page

    if out is None and not as_markdown:
        raise UsageError("the page needs a name", where="snnc report", fix="add -o report.html, or --md to print Markdown")
    if out is None and as_json:
        raise UsageError("Markdown and JSON cannot both be printed", where="snnc report --md --json", fix="add -o report.md")
    if out:
        must_be_free(out, force)
    report = report_of(folder, chip)
    text = (markdown if as_markdown else page)(report)
    if out is None:
        click.echo(text, nl=False)
        return
    write_bytes(out, text.encode(), force=force)
    if as_json:
        print_json("report/1", folder=str(folder), out=str(out), bytes=len(text.encode()), title=report.title,
                   sections=[s.key for s in report.sections], not_recorded=not_recorded(report))  # fmt: skip
        return
    lacking = f"; not recorded: {', '.join(found)}" if (found := not_recorded(report)) else ""
    click.echo(f"wrote {out}: {len(text.encode()):,} bytes, {len(report.sections)} sections{lacking}")
