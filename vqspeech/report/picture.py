"""Pictures as SVG within the page, which take the colour of its text and so suit light and dark."""

import io
import re
from typing import TYPE_CHECKING

from vqspeech.report.markup import escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the colour of the page's text; no colour map has it."""
LINES = ("#2b83d6", "#d9661f", "#2f9e58", "#9b6bd3")
"""Colours of curves, with a contrast above 3 on white and on the dark page."""
STYLE = {
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "legend.frameon": False,
}


def new_figure(width: float, height: float) -> "Figure":
    """An empty picture, in inches; to be drawn within `matplotlib.rc_context(STYLE)`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def to_svg(figure: "Figure", name: str, description: str) -> str:
    """The picture as an `svg` element; `name` keeps its ids apart from those of other pictures on the page."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    # A salt, since ids are random otherwise; no metadata, which would name addresses.
    with rc_context(STYLE | {"svg.hashsalt": name}):
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            dpi=110,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace("xlink:href", "href")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\1{name}-", svg)
    (view,) = re.findall(r'viewBox="[^"]+"', svg)[:1]
    head = f'<svg {view} role="img" aria-label="{escape(description)}">'
    return head + svg[svg.index(">") + 1 :].strip()
