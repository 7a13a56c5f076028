"""Drawing: figures as inline SVG whose colours follow the page, light or dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# stand-ins that matplotlib paints with; the page's style sheet decides what they look like (page.css has each variable)
INK, FAINT, PAPER = "#010203", "#040506", "#070809"
SERIES = ("#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05", "#0a0b06")
_VARIABLES = {INK: "--ink", FAINT: "--faint", PAPER: "--paper"} | {c: f"--series-{i}" for i, c in enumerate(SERIES)}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "brainfm", "font.size": 11, "font.family": "sans-serif",
    "axes.edgecolor": FAINT, "axes.labelcolor": INK, "axes.titlecolor": INK, "axes.titlesize": 11, "text.color": INK,
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False,
    "xtick.color": FAINT, "ytick.color": FAINT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "savefig.edgecolor": "none",
    "legend.frameon": False, "legend.fontsize": 10, "lines.linewidth": 1.6, "figure.dpi": 96,
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A figure of the page: inline SVG, the words read aloud in its place, and the caption under it."""

    svg: Markup
    alt: str
    caption: str


@contextmanager
def style() -> Iterator[None]:
    """Draws in the colours of the page, whatever the user's own matplotlib settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, laid out so that no label is cut."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def log_ticks(axes: Axes, sizes: Sequence[float], apart: float = 0.12) -> None:
    """A logarithmic x axis labelled at the sizes themselves, as far as there is room: `apart` of its length between two."""
    axes.set_xscale("log")
    low, high = (math.log(limit) for limit in axes.get_xlim())
    kept: list[float] = []
    for size in sorted(sizes, reverse=True):
        if not kept or math.log(kept[-1] / size) > apart * (high - low):
            kept.append(size)
    axes.set_xticks(kept, [f"{size:.3g}" for size in kept])
    axes.set_xticks([], minor=True)


def picture(drawn: Figure, key: str, alt: str, caption: str) -> Picture:
    """Exports a figure; `key` keeps its ids apart from those of the page's other figures."""
    buffer = io.StringIO()
    # tight: titles of mne's maps lie outside what the layout allows for
    drawn.savefig(
        buffer,
        format="svg",
        bbox_inches="tight",
        pad_inches=0.05,
        metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
    )
    return Picture(_inline(buffer.getvalue(), key, alt), alt, caption)


def _inline(svg: str, key: str, alt: str) -> Markup:
    """Takes the prologue off, names the picture for screen readers and hands its colours to the style sheet."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{key}-', body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{key}-", body)
    width = re.search(r'width="([\d.]+)pt"', body)
    assert width is not None, "matplotlib writes the width of an SVG in points"
    size = f'style="--natural: {float(width[1]) * 4 / 3:.0f}px"'
    body = re.sub(
        r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg role="img" aria-label="{escape(alt)}" {size} \1>', body, count=1
    )
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, f"var({variable})")
    return Markup(body)
