"""Results as web pages: of a study the verdicts, then each claim, each figure, and how they were made; and all studies.

A page is one file that holds its images and its style, has no script and asks no other computer for anything. It can be
read on a phone, in the dark, on paper, and without seeing colours.
"""

import base64
import struct
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from experiments.claims import Judged, Judgement, Verdict, grouped
from experiments.store import StoreError

# Not by colour alone: each verdict has its sign, and its words beside it.
_SIGNS = {Verdict.HOLDS: "✓", Verdict.FAILS: "✗", Verdict.CONDITIONAL: "◐", Verdict.OPEN: "?"}

# A browser that is told so fetches nothing, whatever a text of the page contains.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")


class Drawn(NamedTuple):
    """A figure that was written, a PNG, and its caption: what it shows and over how many samples."""

    path: Path
    caption: str


def page(
    title: str,
    introduction: str,
    judged: Sequence[Judged],
    figures: Sequence[Drawn],
    settings: Mapping[str, Any],
    back: str | None = None,
) -> str:
    """The results of a study as HTML, for ``index.html``.

    Parameters
    ----------
    title, introduction
        What was studied, and in a paragraph how, on what and by how much of it.
    judged
        What is claimed, and what became of it.
    figures
        All figures, in the order in which they are shown. Their files are read, and their captions set as text.
    settings
        What made the results: names and values, which may be mappings themselves.
    back
        Where the page of all studies is, if there is one.

    Raises
    ------
    StoreError
        If the file of a figure cannot be read, or is no PNG.
    """
    numbers = {figure.path.stem: number for number, figure in enumerate(figures, 1)}
    verdicts, details = [], []
    for heading, found in grouped(judged):
        verdicts.append(f'<tr class="group"><th colspan="3" scope="rowgroup">{_text(heading)}</th></tr>')
        details.append(f"<h2>{_text(heading)}</h2>")
        for each in found:
            verdicts.append(
                f'<tr><td class="number">{each.number}</td>'
                f'<td class="claim"><a href="#claim-{each.number}">{_text(each.claim.statement)}</a></td>'
                f'<td class="verdict">{_verdict(each.judgement)}</td></tr>'
            )
            details.append(_claim(each, [numbers[name] for name in each.claim.figures]))
    shown = {figure: [each.number for each in judged if figure.path.stem in each.claim.figures] for figure in figures}
    return _document(
        title,
        [
            f'<nav><a href="{escape(back)}">All studies</a></nav>' if back else "",
            f"<h1>{_text(title)}</h1>",
            f"<p>{_text(introduction)}</p>",
            "<h2>Verdicts</h2>",
            "<p>Each claim is judged by a rule, stated with it, that the program applies to its numbers.</p>",
            "<table>",
            '<thead><tr><th scope="col"></th><th scope="col">claim</th><th scope="col">verdict</th></tr></thead>',
            "<tbody>",
            *verdicts,
            "</tbody>",
            "</table>",
            *details,
            "<h2>Figures</h2>",
            *(_figure(number, figure, shown[figure]) for number, figure in enumerate(figures, 1)),
            "<details>",
            "<summary><h2>How it was made</h2></summary>",
            *(_setting(name, value) for name, value in settings.items()),
            "</details>",
        ],
    )


class Row(NamedTuple):
    """What the front page shows of a study: its figure that says most, and how many claims came to each verdict."""

    title: str
    introduction: str
    link: str
    figure: Drawn
    verdicts: Mapping[Verdict, int]


def front_page(title: str, rows: Sequence[Row]) -> str:
    """All studies as HTML: of each what it claims, what became of its claims, one figure, and the link to its page.

    Raises
    ------
    StoreError
        If the file of a figure cannot be read, or is no PNG.
    """
    parts = []
    for row in rows:
        counts = (
            f"<li>{_badge(verdict, f'{verdict.value}: {number}')}</li>"
            for verdict, number in row.verdicts.items()
            if number
        )
        link = escape(row.link)
        parts += [
            "<section>",
            f'<h2><a href="{link}">{_text(row.title)}</a></h2>',
            f"<p>{_text(row.introduction)}</p>",
            f"<p>Of {sum(row.verdicts.values())} claims:</p>",
            f'<ul class="counts">{"".join(counts)}</ul>',
            f'<figure><a href="{link}">{_image(row.figure)}</a>',
            f"<figcaption>{_text(row.figure.caption)}</figcaption></figure>",
            "</section>",
        ]
    return _document(title, [f"<h1>{_text(title)}</h1>", *parts])


def _document(title: str, body: Sequence[str]) -> str:
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{_text(title)}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>\n",
        ]
    )


def _verdict(judgement: Judgement) -> str:
    return f"{_badge(judgement.verdict, judgement.verdict.value)} {_text(judgement.condition)}".rstrip()


def _badge(verdict: Verdict, words: str) -> str:
    return f'<span class="badge {verdict.name.lower()}">{_SIGNS[verdict]} {_text(words)}</span>'


def _claim(judged: Judged, figures: Sequence[int]) -> str:
    number, claim, judgement = judged
    rows = {
        "verdict": _verdict(judgement),
        "published": _text(claim.published),
        "ours": f"<ul>{''.join(f'<li>{_text(each)}</li>' for each in judgement.measured)}</ul>",
        "rule": _text(claim.rule),
        "shown in": _links("figure", figures),
    }
    return "\n".join(
        [
            f'<article id="claim-{number}">',
            f"<h3>{number}. {_text(claim.statement)}</h3>",
            "<dl>",
            *(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows.items()),
            "</dl>",
            "</article>",
        ]
    )


def _figure(number: int, figure: Drawn, claims: Sequence[int]) -> str:
    return "\n".join(
        [
            f'<figure id="figure-{number}">',
            _image(figure),
            f"<figcaption><strong>Figure {number}.</strong> {_text(figure.caption)}",
            f'<span class="file">({_text(figure.path.name)})</span>',
            f"For {_links('claim', claims)}." if claims else "",
            "</figcaption>",
            "</figure>",
        ]
    )


def _image(figure: Drawn) -> str:
    try:
        png = figure.path.read_bytes()
    except OSError as error:
        raise StoreError(f"{figure.path}: cannot be read ({error.strerror}), expected a figure") from error
    if not png.startswith(b"\x89PNG") or len(png) < 24:
        raise StoreError(f"{figure.path}: found {png[:8]!r} at its start, expected a PNG")
    width, height = struct.unpack(">II", png[16:24])
    first, _, _ = figure.caption.partition(". ")
    view = f"--width: {width}px; aspect-ratio: {width} / {height}"
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return f'<div class="wide" tabindex="0"><img src="{source}" alt="{_text(first)}" style="{view}"></div>'


def _links(kind: str, numbers: Sequence[int]) -> str:
    return ", ".join(f'<a href="#{kind}-{number}">{kind}&nbsp;{number}</a>' for number in numbers)


def _setting(name: str, value: object) -> str:
    """A heading and the value under it; a mapping as a list of its names and values."""
    if isinstance(value, Mapping):
        rows = "".join(f"<dt>{_text(str(key))}</dt><dd>{_value(each)}</dd>" for key, each in value.items())
        return f"<h3>{_text(name)}</h3>\n<dl>{rows}</dl>"
    return f"<h3>{_text(name)}</h3>\n<p>{_value(value)}</p>"


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, Mapping):
        return _value([f"{name} {each}" for name, each in value.items()])
    return "not given" if value is None else _text(str(value))


def _text(text: str) -> str:
    """Escaped; a number and its percent sign stay on one line."""
    return escape(text).replace(" %", "\N{NO-BREAK SPACE}%")
