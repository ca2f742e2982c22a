"""Pieces of HTML. Texts are escaped here and nowhere else; what a function returns is HTML."""

from collections.abc import Iterable, Sequence
from html import escape


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{escape(text)}</p>"


def absent(text: str) -> str:
    """The sentence that stands for a part that cannot be shown."""
    return f'<p class="absent">{escape(text)}</p>'


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, whose first column names the rows; it scrolls by itself where the page is narrow."""
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return _scrolling(
        caption,
        f"<table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{columns}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>",
    )


def figure(svg: str, caption: str, wide: bool = False) -> str:
    """A picture over its caption; a `wide` one keeps a legible size on a narrow page and scrolls."""
    picture = _scrolling(caption, f'<div class="wide">{svg}</div>') if wide else svg
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def player(label: str, data: str) -> str:
    """An audio player of a data URI under its label."""
    return (
        f"<figure><figcaption>{escape(label)}</figcaption>"
        f'<audio controls preload="metadata" aria-label="{escape(label)}" src="{data}"></audio></figure>'
    )


def section(id: str, title: str, *parts: str) -> str:
    """A section of the page under its heading."""
    return f'<section id="{id}" aria-labelledby="{id}-title">\n<h2 id="{id}-title">{escape(title)}</h2>\n' + (
        "\n".join(parts) + "\n</section>"
    )


def _scrolling(label: str, content: str) -> str:
    # Whoever has only a keyboard scrolls what has the focus.
    return f'<div class="scroll" role="group" tabindex="0" aria-label="{escape(label)}">{content}</div>'
