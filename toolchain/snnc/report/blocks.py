"""What a report is made of, before it is HTML or Markdown. Part of report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal


@dataclass(frozen=True)
class Share:
    """A cell with a bar: ``part`` of 1 (over 1: too much; None: unknown), the text beside it, and its percentage if wanted."""

    part: float | None
    text: str
    in_percent: bool = True


Cell = str | int | Share | None  # None: not recorded
Tone = Literal["", "good", "bad", "note"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Table:
    """Rows under columns; the first cell of a row says what the row is about."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture, with the same in words; ``draw`` gives SVG that is ours. ``wide``: it scrolls instead of shrinking."""

    draw: Callable[[], str]
    alt: str
    caption: str
    wide: bool = False


@dataclass(frozen=True, eq=False)
class Rasters:
    """Spikes of two runs over each other, of which a person chooses the sample; ``data`` is for the page's script."""

    data: Mapping[str, Any]


Block = Text | Table | Figure | Rasters


@dataclass(frozen=True)
class Section:
    """A part of the report; ``key`` is its address in the page."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """All of it."""

    title: str
    sections: tuple[Section, ...]


def figure(key: str, alt: str, caption: str, draw: Callable[..., str], *parts: Any) -> Figure:
    """Return a figure drawn by a function of `plots`, which takes key and words first."""
    return Figure(partial(draw, key, alt, *parts), alt, caption)


def not_recorded(what: str) -> Text:
    """Return the text that stands in place of what the folder does not hold."""
    return Text(f"Not recorded: {what}.", "note")
