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

_STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --soft: #55565a; --line: #d8d8dc; --paper: #fff; --link: #00559f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e8; --soft: #a9aab0; --line: #43444a; --paper: #17181b; --link: #8ec5ff; }
}
* { box-sizing: border-box; }
html { font: 1.0625rem/1.6 Charter, "Bitstream Charter", Georgia, Cambria, serif; text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere; }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: 2rem; margin: 0 0 1rem; }
h2 { font-size: 1.45rem; margin: 3.5rem 0 1rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.15rem; margin: 0 0 .75rem; }
a { color: var(--link); text-underline-offset: .15em; }
h1, p, article, figcaption, dl { max-width: 44rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .55rem 1rem .55rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th, .group th, dt { font-weight: normal; color: var(--soft); }
thead th { font-size: 1rem; }
.group th { padding-top: 1.5rem; font-style: italic; }
.number { width: 2.5rem; }
.verdict { width: 40%; }
.badge { display: inline-block; padding: 0 .6em; border-radius: .3em; border: 1px solid; font-weight: bold; }
.holds { background: #dcf3e8; color: #0a4d35; }
.fails { background: #fde5d8; color: #7d2a00; }
.conditional { background: #fcf1c8; color: #594500; }
.open { background: #e9e9ec; color: #3a3b40; }
article { margin: 0 0 3rem; }
dl { margin: 0; display: grid; grid-template-columns: 6.5rem 1fr; gap: .4rem 1rem; }
dd, ul { margin: 0; padding: 0; }
li { list-style: none; padding-left: 1rem; text-indent: -1rem; }
figure { margin: 0 0 3.5rem; }
.wide { overflow-x: auto; background: #fff; padding: .5rem; border-radius: .3rem; }
/* At half its size; where space is short, smaller, but no smaller than its letters allow: it scrolls in its frame. */
.wide img { display: block; width: 100%; min-width: calc(var(--width) / 3); max-width: calc(var(--width) / 2); }
.wide img { height: auto; object-fit: cover; object-position: top; }
figcaption { margin-top: .75rem; }
.file { color: var(--soft); }
.counts li { display: inline-block; margin: 0 .5rem .5rem 0; padding: 0; text-indent: 0; }
summary { cursor: pointer; }
summary h2 { display: inline; }
details { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
details h3 { margin-top: 1.5rem; }
details dl { grid-template-columns: minmax(6.5rem, max-content) 1fr; }
:target { scroll-margin-top: 1rem; outline: 2px solid var(--link); outline-offset: .5rem; }
@media (max-width: 600px) {
  main { padding-top: 1.5rem; }
  table, tbody, tr, th, td, dl, details dl { display: block; width: 100%; }
  thead { display: none; }
  th, td { padding: 0; border: 0; }
  tr { padding: .6rem 0; border-bottom: 1px solid var(--line); }
  .number { float: left; width: 2rem; }
  .claim, .verdict { padding-left: 2rem; width: auto; }
  dt { margin-top: .5rem; }
  .wide img { min-width: calc(var(--width) / 2.5); }
}
@media print {
  .wide { overflow: visible; }
  .wide img { min-width: 0; }
  article, figure, tr { break-inside: avoid; }
}
"""


class Drawn(NamedTuple):
    """A figure that was written.

    Attributes
    ----------
    path : Path
        The PNG.
    caption : str
        What it shows and over how many samples.
    caption_height : int
        How many of the image's pixel rows, at its bottom, hold the caption: a page may set it in its own type.
    """

    path: Path
    caption: str
    caption_height: int


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
    """What the front page shows of a study.

    Attributes
    ----------
    title, introduction
        As on its page.
    link
        To its page.
    figure : Drawn
        The one that says most.
    verdicts : mapping
        How many of its claims came to each.
    """

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
            f'<li><span class="badge {verdict.name.lower()}">{_SIGNS[verdict]} {number} {verdict.value}</span></li>'
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
    verdict = judgement.verdict
    badge = f'<span class="badge {verdict.name.lower()}">{_SIGNS[verdict]} {_text(verdict.value)}</span>'
    return f"{badge} {_text(judgement.condition)}".rstrip()


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
    # Only the panels are in view: the caption, which the image bears too, is legible at any size as text.
    view = f"--width: {width}px; aspect-ratio: {width} / {height - figure.caption_height}"
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
