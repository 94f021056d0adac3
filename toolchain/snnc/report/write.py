"""Write a report: the function behind `snnc report` and `snnc.report`."""

from dataclasses import dataclass
from pathlib import Path

from snnc.base.files import must_be_free, write_bytes
from snnc.base.public import public


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: What it is about.
        text: The page as HTML, or the text as Markdown.
        sections: Keys of its sections.
        not_recorded: Keys of the sections that lack something, as the folder does not hold it.

    Examples:
        >>> import snnc
        >>> snnc.Page("a run", "<html>", ("overview",), ())
        Page('a run', 1 sections)
    """

    title: str
    text: str
    sections: tuple[str, ...]
    not_recorded: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Page({self.title!r}, {len(self.sections)} sections)"


@public
def write_report(
    folder: Path | str, out: Path | str | None = None, *, markdown: bool = False, chip: str | None = None, force: bool = False
) -> Page:
    """Report what a folder of `snnc run` or `snnc sweep` holds, as a page that asks no network, or as Markdown.

    Args:
        folder: The folder.
        out: Where to write it (default: nowhere).
        markdown: Markdown for a pull request instead of a page.
        chip: Path of the profile, if the run names a chip that snnc does not bring along.
        force: Replace the file at ``out``.

    Returns:
        The page: ``text``, ``title``, ``sections``, ``not_recorded``.

    Raises:
        FileError: The folder holds no run and no sweep, a file in it is damaged, or ``out`` exists.
        ProfileError: There is no such chip.

    Examples:
        >>> import snnc
        >>> try:
        ...     snnc.report("nowhere")
        ... except snnc.FileError as error:
        ...     print(error)
        nowhere: is no folder; name a folder of snnc run or snnc sweep, or one with the files of a chain
    """
    from snnc.report.compose import not_recorded, report_of
    from snnc.report.markdown import markdown as as_markdown
    from snnc.report.page import page as as_page

    if out is not None:
        must_be_free(Path(out), force)
    report = report_of(Path(folder), chip)
    text = (as_markdown if markdown else as_page)(report)
    if out is not None:
        write_bytes(Path(out), text.encode(), force=force)
    return Page(report.title, text, tuple(section.key for section in report.sections), tuple(not_recorded(report)))
