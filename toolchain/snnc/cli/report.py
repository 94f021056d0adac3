"""snnc report: write the results of a run or a sweep, as a page to open or as Markdown for a pull request."""

from pathlib import Path

import click

from snnc.cli._common import PATH, force_option, json_option, must_not_be_given, print_json
from snnc.errors import UsageError
from snnc.report import write_report


@click.command("report", short_help="Write a page about a run or a sweep.")
@click.argument("folder", type=PATH)
@click.option("-o", "--out", type=PATH, help="Where to write the page (.html), or the text with --md.")
@click.option("--md", "as_markdown", is_flag=True, help="Write Markdown for a pull request; without --out it is printed.")
@click.option("--hw", "chip", help="Hardware profile, if the run names one that snnc does not include.")
@force_option
@json_option
def command(folder: Path, out: Path | None, as_markdown: bool, chip: str | None, force: bool, as_json: bool) -> None:
    """Write what FOLDER holds, from snnc run, snnc sweep, or with files of a chain made by hand: verdicts, training, accuracy
    over connectivity, layers, classes, weights, budgets, the chip, rasters, energy, ranges, provenance. What the folder does
    not hold is called "not recorded".

    The page is one file. It uses no network, and needs only a browser.
    """
    if out is None and not as_markdown:
        raise UsageError("the page needs a name", where="snnc report", fix="add -o report.html, or --md to print Markdown")
    if out is None and as_json:
        raise UsageError("Markdown and JSON cannot both be printed", where="snnc report --md --json", fix="add -o report.md")
    if out is None:
        must_not_be_given("force", reason="Markdown is printed", fix="add -o report.md, or leave it out")
    page = write_report(folder, out, markdown=as_markdown, chip=chip, force=force)
    if out is None:
        click.echo(page.text, nl=False)
        return
    size = len(page.text.encode())
    if as_json:
        print_json("report/1", folder=str(folder), out=str(out), bytes=size, title=page.title, sections=list(page.sections),
                   not_recorded=list(page.not_recorded))  # fmt: skip
        return
    lacking = f"; not recorded: {', '.join(page.not_recorded)}" if page.not_recorded else ""
    click.echo(f"wrote {out}: {size:,} bytes, {len(page.sections)} sections{lacking}")
