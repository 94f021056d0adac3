"""Figures as SVG by matplotlib: text stays text, and colours are the page's own, for light and dark. Part of report."""

import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

from snnc.errors import MissingDependencyError, of_memory

LONGEST_NAME = 28  # letters of a line's name in a legend
SIZE = (4.6, 3.0)  # inches: small, so that letters are still read on a phone
_INK, _FAINT = "#010203", "#040506"  # stand for the page's variables; no figure has these colours otherwise
_SERIES = ("#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05", "#0a0b06")
_VARIABLES = {_INK: "--ink", _FAINT: "--faint", **{colour: f"--c{i}" for i, colour in enumerate(_SERIES, 1)}}
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "x")


@dataclass(frozen=True)
class Line:
    """Points (x, y) that belong together, or (x, y, half of a bar of errors); told apart by dashes and markers, too."""

    name: str
    points: Sequence[tuple[float, ...]]
    joined: bool = True

    @property
    def last(self) -> tuple[float, ...]:
        return self.points[-1]


@dataclass(frozen=True)
class Axis:
    """What an axis is called and how it is cut."""

    label: str
    log: bool = False
    percent: bool = False
    whole: bool = False


def lines(key: str, alt: str, x: Axis, y: Axis, series: Sequence[Line]) -> str:
    """Draw a plot of lines. ``key`` makes its ids unique in the page. Raises MissingDependencyError without matplotlib."""

    def draw(axes: Any) -> None:
        for i, line in enumerate(series):
            name, dash = line.name[:LONGEST_NAME], _DASHES[i % 6] if line.joined else "none"
            style = {"color": _SERIES[i % 6], "marker": _MARKERS[i % 6], "linestyle": dash, "linewidth": 1.6}
            style |= {"markersize": 4} if line.joined else {"markersize": 8, "fillstyle": "none", "markeredgewidth": 1.6}
            axes.errorbar(*zip(*line.points, strict=True), label=name, capsize=3, **style)
        _scale(axes, "x", x)
        _scale(axes, "y", y)
        if len(series) > 1 or not series[0].joined:
            _legend(axes)

    return _svg(key, alt, draw)


def histogram(key: str, alt: str, label: str, series: Sequence[tuple[str, Any]], bins: int = 60) -> str:
    """Draw the distributions of arrays over each other, as outlines. Raises MissingDependencyError without matplotlib."""
    import numpy as np
    from matplotlib.ticker import FuncFormatter

    low, high = (float(end([end(values) for _, values in series])) for end in (np.min, np.max))
    edges = np.linspace(low, high, bins + 1) if high > low else np.array([low - 0.5, low + 0.5])

    def draw(axes: Any) -> None:
        for i, (name, values) in enumerate(series):
            counts, _ = np.histogram(values, edges)
            axes.stairs(counts, edges, label=name, color=_SERIES[i % 6], linestyle=_DASHES[i % 6], linewidth=1.5)
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel(label)
        axes.set_ylabel("how many")
        if len(series) > 1:
            _legend(axes)

    return _svg(key, alt, draw)


def _legend(axes: Any) -> None:
    """Put the legend above the plot, where it hides nothing and a phone has room for it."""
    axes.figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=9)


def _scale(axes: Any, which: str, axis: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    scale = getattr(axes, f"{which}axis")
    getattr(axes, f"set_{which}label")(axis.label)
    if axis.log:
        getattr(axes, f"set_{which}scale")("log")
        scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
        scale.set_minor_formatter(NullFormatter())
    if axis.whole:
        scale.set_major_locator(MaxNLocator(integer=True))
    if axis.percent:
        scale.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    elif not axis.log:
        scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _svg(key: str, alt: str, draw: Callable[[Any], None]) -> str:
    with _style(key):
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        figure = Figure(figsize=SIZE, layout="constrained", facecolor="none")
        canvas: Any = FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        axes.grid(color=_FAINT, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        text = StringIO()
        canvas.print_svg(text, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(text.getvalue(), key, alt)


@contextmanager
def _style(key: str) -> Any:
    """Set matplotlib as the page wants it; a letter that its own font lacks is drawn by the browser, and needs no warning."""
    try:
        import matplotlib
    except ImportError as error:
        if of_memory(error):
            raise
        raise MissingDependencyError("the page needs matplotlib for its figures", fix="pip install '.[report]'") from error
    settings: Any = {
        "svg.fonttype": "none", "svg.hashsalt": key, "text.parse_math": False, "font.size": 10, "text.color": _INK,
        "axes.labelcolor": _INK, "axes.edgecolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
        "axes.formatter.use_mathtext": False,
    }  # fmt: skip
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        yield


def _inline(svg: str, key: str, alt: str) -> str:
    """Prepare an SVG to stand in a page: no head, ids that are its own, the page's colours, and what it shows in words."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<g id=\"[^\"]*\"", "<g", svg)
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{key}-", svg)
    svg = re.sub(r' height="[^"]*"', "", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?) width="[^"]*"', lambda match: f'{match[1]} role="img" aria-label="{escape(alt)}"', svg, count=1)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
