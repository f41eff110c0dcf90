"""The results pages: whole HTML that says what was measured, and in a browser, legible on a phone without a network."""

import base64
import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.claims import Claim, Judged, Judgement, Verdict
from experiments.page import Drawn, Row, front_page, page
from experiments.store import StoreError

VOID = {"meta", "link", "img", "br"}
NASTY = "<script>alert(\"x\")</script> & 'y' &amp;, 5 % at http://example.org/a"
LONG = "unbroken" * 40
SETTINGS = {
    "arguments": {"quick": True, "data": None, "out": Path("results/x")},
    "seeds": [0, 42],
    "made by": [{"numpy": "2.0"}, {"numpy": "2.1", "commit": "a"}],
    "data": {"train": "0" * 64},
}
RED = (200, 0, 0)


def collapsed(text):
    """With one space where there are several, as a browser shows it; a no-break space is none of them."""
    return re.sub(r"[ \n]+", " ", text).strip(" \n")


class Parsed(HTMLParser):
    """The elements of a page, in order: tag, attributes and text; fails unless all are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        element = [tag, dict(attrs), ""]
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def texts(self, tag, name=None):
        return [
            collapsed(text)
            for found, attrs, text in self.elements
            if found == tag and name in (None, attrs.get("class"))
        ]

    def attributes(self, tag):
        return [attrs for found, attrs, _ in self.elements if found == tag]


def png(width=900, height=500):
    """A red image."""
    pixels = (b"\0" + bytes(RED) * width) * height

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def claim(number, statement, judgement, figures=("a",), group="Claims", text=""):
    claim = Claim(
        statement=statement,
        published=f"published {text}",
        rule=f"rule {text}",
        judge=lambda table: judgement,
        figures=figures,
        group=group,
    )
    return Judged(number, claim, judgement)


def drawn(folder, name, size=(900, 500), text=""):
    (folder / f"{name}.png").write_bytes(png(*size))
    return Drawn(folder / f"{name}.png", f"About {name}. More {text}")


def made(folder, text=""):
    """Four claims of two groups with all verdicts, and three figures, one of which no claim names."""
    sizes = {"a": (900, 500), "b": (2400, 1000), "c": (3600, 1100)}
    figures = [drawn(folder, name, size, text) for name, size in sizes.items()]
    ours = f"Ours {text}"
    claims = [
        claim(1, f"first {text}", Judgement((f"measured; {text}", "and more"), Verdict.HOLDS), text=text),
        claim(2, "second", Judgement(("0.5",), Verdict.FAILS), ("b", "a")),
        claim(3, "third", Judgement(("0.6",), Verdict.CONDITIONAL, f"h > 2 {text}"), group=ours),
        claim(4, "fourth", Judgement(("0.7",), Verdict.OPEN), ("b",), group=ours),
    ]
    return page(f"Title {text}", f"In short {text}", claims, figures, SETTINGS | {f"other {text}": text})


@pytest.fixture
def html(tmp_path):
    return made(tmp_path)


def test_everything_is_there_in_order(html):
    found = Parsed(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert found.texts("title") == found.texts("h1") == ["Title"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in found.attributes("meta")
    assert found.texts("p")[0] == "In short"
    assert found.texts("h2") == ["Verdicts", "Claims", "Ours", "Figures", "How it was made"]
    assert found.texts("tr") == [
        "claimverdict",
        "Claims",
        "1first ✓ holds",
        "2second✗ does not hold",
        "Ours",
        "3third◐ holds only if h > 2",
        "4fourth? cannot be judged by so small a run",
    ]
    assert found.texts("article") == [
        "1. first verdict✓ holds publishedpublished oursmeasured; and more rulerule shown infigure\xa01",
        "2. second verdict✗ does not hold publishedpublished ours0.5 rulerule shown infigure\xa02, figure\xa01",
        "3. third verdict◐ holds only if h > 2 publishedpublished ours0.6 rulerule shown infigure\xa01",
        "4. fourth verdict? cannot be judged by so small a run publishedpublished ours0.7 rulerule shown infigure\xa02",
    ]
    assert found.texts("li") == ["measured;", "and more", "0.5", "0.6", "0.7"]
    assert found.texts("figcaption") == [
        "Figure 1. About a. More (a.png) For claim\xa01, claim\xa02, claim\xa03.",
        "Figure 2. About b. More (b.png) For claim\xa02, claim\xa04.",
        "Figure 3. About c. More (c.png)",
    ]
    assert [attrs["alt"] for attrs in found.attributes("img")] == ["About a", "About b", "About c"]
    assert found.texts("details") == [
        "How it was made arguments quickTruedatanot givenoutresults/x seeds 0, 42 "
        "made by numpy 2.0, numpy 2.1, commit a data train" + "0" * 64 + " other"
    ]


def test_the_way_back_to_all_studies(html):
    assert Parsed(html).texts("nav") == []
    found = Parsed(page("", "", [], [], {}, '../"all" & more/index.html'))
    assert found.texts("nav") == ["All studies"]
    assert found.attributes("a") == [{"href": '../"all" & more/index.html'}]


def test_links_lead_to_what_they_name(html):
    found = Parsed(html)
    ids = [attrs["id"] for _, attrs, _ in found.elements if "id" in attrs]
    assert ids == [f"claim-{k}" for k in (1, 2, 3, 4)] + [f"figure-{k}" for k in (1, 2, 3)]
    links = [(attrs["href"], text) for tag, attrs, text in found.elements if tag == "a"]
    assert {href[1:] for href, _ in links} == {*ids} - {"figure-3"}
    statements = ["first", "second", "third", "fourth"]
    for href, text in links:
        number = int(href.rpartition("-")[2])
        assert (text.strip() == statements[number - 1]) or href == f"#{text.replace(chr(160), '-')}"


def test_nothing_comes_from_elsewhere(html, tmp_path):
    for text in (html, made(tmp_path, NASTY)):
        found = Parsed(text)
        for tag, attrs, _ in found.elements:
            assert not any("//" in value for name, value in attrs.items() if name not in ("alt", "src"))
            assert attrs.get("src", "data:").startswith("data:")
            assert attrs.get("href", "#")[0] == "#" or (tag, attrs["href"]) == ("link", "data:,")
        (style,) = found.texts("style")
        assert not re.search(r"url\(|@import|//", style)
        assert found.attributes("script") == []
        assert found.attributes("link") == [{"rel": "icon", "href": "data:,"}]  # else a browser asks for an icon
        (policy,) = [attrs["content"] for attrs in found.attributes("meta") if "http-equiv" in attrs]
        assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_images_are_the_files(html, tmp_path):
    sources = [attrs["src"] for attrs in Parsed(html).attributes("img")]
    images = [base64.b64decode(source.removeprefix("data:image/png;base64,"), validate=True) for source in sources]
    assert images == [(tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png")]
    views = [attrs["style"] for attrs in Parsed(html).attributes("img")]
    assert views[:2] == ["--width: 900px; aspect-ratio: 900 / 500", "--width: 2400px; aspect-ratio: 2400 / 1000"]


def test_every_text_is_escaped(tmp_path):
    found = Parsed(made(tmp_path, NASTY))
    plain = NASTY.replace(" %", "\N{NO-BREAK SPACE}%")
    assert found.texts("h1") == [f"Title {plain}"] == found.texts("title")
    assert found.texts("p")[0] == f"In short {plain}"
    assert found.texts("h2")[2] == found.texts("tr")[4] == f"Ours {plain}"
    assert found.texts("h3")[0] == f"1. first {plain}"
    assert found.texts("h3")[-1] == f"other {plain}"
    assert found.texts("p")[-1] == plain
    assert found.texts("dd")[1:4] == [f"published {plain}", f"measured; {plain}and more", f"rule {plain}"]
    assert found.texts("dd")[10] == f"◐ holds only if h > 2 {plain}"
    assert f"About a. More {plain}" in found.texts("figcaption")[0]


@given(st.text())
def test_any_text_comes_back(text):
    found = Parsed(page(text, "", [], [], {"name": {text: text}}))
    assert found.texts("h1") == [collapsed(text.replace(" %", "\N{NO-BREAK SPACE}%"))]
    assert found.texts("dt") == found.texts("dd") == found.texts("h1")


def test_the_alternative_text_is_the_first_sentence(tmp_path):
    figure = drawn(tmp_path, "a")._replace(caption='F1 of 0.5 "as is" <here>. The rest.')
    (image,) = Parsed(page("", "", [], [figure], {})).attributes("img")
    assert image["alt"] == 'F1 of 0.5 "as is" <here>'


def test_a_figure_that_is_missing(tmp_path):
    with pytest.raises(
        StoreError, match=r"gone\.png: cannot be read \(No such file or directory\), expected a figure$"
    ):
        page("", "", [], [Drawn(tmp_path / "gone.png", "")], {})


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(30), b"\x89PNG\r\n\x1a\n"])
def test_a_figure_that_is_no_png(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(StoreError, match=r"a\.png: found b'.*' at its start, expected a PNG$"):
        page("", "", [], [Drawn(tmp_path / "a.png", "")], {})


# The front page.


def front(folder, text=""):
    """Two studies."""
    verdicts = {Verdict.HOLDS: 2, Verdict.FAILS: 1, Verdict.CONDITIONAL: 0, Verdict.OPEN: 10}
    one = Row(f"One {text}", f"In short {text}", "one/index.html", drawn(folder, "a", text=text), verdicts)
    two = Row("Two", "Not so short", "two%20%23/index.html", drawn(folder, "b", (2400, 1000)), {Verdict.FAILS: 1})
    return front_page(f"All {text}", [one, two])


@pytest.mark.parametrize("text", ["", NASTY])
def test_the_front_page_has_a_part_for_each_study(tmp_path, text):
    found = Parsed(front(tmp_path, text))
    shown = text.replace(" %", "\N{NO-BREAK SPACE}%")
    assert found.texts("title") == found.texts("h1") == [f"All {shown}".strip()]
    assert found.texts("h2") == [f"One {shown}".strip(), "Two"]
    assert found.texts("p") == [f"In short {shown}".strip(), "Of 13 claims:", "Not so short", "Of 1 claims:"]
    counts = ["✓ holds: 2", "✗ does not hold: 1", "? cannot be judged by so small a run: 10", "✗ does not hold: 1"]
    assert found.texts("li") == counts
    badges = [attrs["class"] for attrs in found.attributes("span")]
    assert badges == ["badge holds", "badge fails", "badge open", "badge fails"]
    assert [attrs["href"] for attrs in found.attributes("a")] == [
        *["one/index.html"] * 2,
        *["two%20%23/index.html"] * 2,
    ]
    assert found.texts("figcaption") == [f"About a. More {shown}".strip(), "About b. More"]
    sources = [attrs["src"].removeprefix("data:image/png;base64,") for attrs in found.attributes("img")]
    assert [base64.b64decode(source) for source in sources] == [
        (tmp_path / f"{name}.png").read_bytes() for name in "ab"
    ]
    assert found.attributes("script") == []
    assert Parsed(front_page("All", [])).texts("main") == ["All"]


# In a browser.

FLAGS = [
    *("--headless", "--no-sandbox", "--hide-scrollbars", "--no-first-run"),
    *(f"--disable-{each}" for each in ("gpu", "dev-shm-usage", "background-networking", "component-update", "quic")),
]
# What a page is like, told to the page in whose frame it is.
PROBE = """<script>
addEventListener("load", () => {
  const all = [...document.querySelectorAll("body *")];
  const speaks = e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
  const ground = e => {
    const colour = getComputedStyle(e).backgroundColor;
    return colour == "rgba(0, 0, 0, 0)" ? ground(e.parentElement) : colour;
  };
  document.querySelector("details")?.setAttribute("open", "");
  parent.postMessage(JSON.stringify({
    name: window.name,
    width: innerWidth,
    page: document.documentElement.scrollWidth,
    out: all.filter(e => e.tagName != "IMG" && e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML),
    letters: Math.min(...all.filter(speaks).map(e => parseFloat(getComputedStyle(e).fontSize))),
    colours: [...new Set(all.filter(speaks).map(e => getComputedStyle(e).color + " on " + ground(e)))],
    loaded: [...document.images].map(i => i.naturalWidth),
    images: [...document.images].map(i => [i.clientWidth, i.clientHeight, i.parentElement.clientWidth]),
    behind: [...document.images].map(ground),
    places: ["thead", ".number", ".claim", ".verdict", "dt", "dd"].map(name => {
      const place = (document.querySelector(name) ?? document.body).getBoundingClientRect();
      return [place.left, place.top, place.height];
    }),
    asked: performance.getEntriesByType("resource").map(e => e.name).filter(name => !name.startsWith("data:")),
  }), "*");
});
</script>"""


@pytest.fixture(scope="module")
def chromium():
    """The path of a Chromium; where there is none the tests are skipped, but in CI they fail."""
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    if path := next(found, None):
        return path
    return (pytest.fail if os.environ.get("CI") else pytest.skip)("found no Chromium, expected one to open the page in")


def opened(chromium, folder, file, *options):
    """What a new Chromium prints when it opens a file, without a network."""
    private = ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}"]
    command = [chromium, *FLAGS, *private, *options, file.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True, cwd=folder, encoding="utf-8")
    return done.stdout


@pytest.fixture(scope="module", params=[0, 1], ids=["dark", "light"])
def seen(request, chromium, tmp_path_factory):
    """The scheme of colours, and what the probe finds in a study's page and in the front page at two widths.

    Each is in a frame, for a window cannot be as narrow as a phone.
    """
    folder, policy, frames = tmp_path_factory.mktemp("seen"), re.compile(r"<meta http-equiv.*\n"), []
    for name, html in (("study", made(folder, f"words 5 % {LONG}")), ("front", front(folder, LONG))):
        assert policy.search(html)  # it forbids scripts, the probe too
        text = policy.sub("", html).replace("</body>", f"{PROBE}</body>")
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
        for width in (360, 1280):
            style = f"border: 0; width: {width}px; height: 800px"
            frames.append(f'<iframe name="{name} {width}" src="{name}.html" style="{style}"></iframe>')
    listen = "<script>addEventListener('message', e => document.body.append('FOUND' + btoa(e.data) + 'END'))</script>"
    wrapper = folder / "frames.html"
    wrapper.write_text(f"<!DOCTYPE html><body>{listen}{''.join(frames)}</body>", encoding="utf-8")
    options = ("--window-size=1600,900", f"--blink-settings=preferredColorScheme={request.param}", "--dump-dom")
    printed = opened(chromium, folder, wrapper, *options)
    told = re.findall(r"FOUND(\S+?)END", printed.rpartition("</iframe>")[2])
    found = {each.pop("name"): each for each in map(json.loads, map(base64.b64decode, told))}
    assert len(found) == len(frames), printed[-500:]
    return request.param, found


def contrast(colours):
    """Contrast ratio of "rgb(r, g, b) on rgb(r, g, b)" (WCAG 2.1)."""

    def luminance(colour):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)]
        assert len(parts) == 3
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, colours.split(" on ")))
    return (high + 0.05) / (low + 0.05)


def test_pages_are_legible_at_any_width_in_the_dark_and_in_the_light(seen):
    scheme, pages = seen
    for name, found in pages.items():
        kind, width = name.split()
        sizes = [(900, 500), (2400, 1000), (3600, 1100)][: 3 if kind == "study" else 2]
        assert (found["page"], found["width"]) == (int(width), int(width))
        assert (found["out"], found["asked"], found["loaded"]) == ([], [], [natural for natural, _ in sizes])
        assert found["letters"] >= 16
        for (wide, high, frame), (natural, panels) in zip(found["images"], sizes, strict=True):
            assert frame < int(width)
            assert high == pytest.approx(wide * panels / natural, abs=1)
        assert (max(found["colours"], key=contrast)[:11] == "rgb(230, 23") == (scheme == 0)
        assert set(found["behind"]) == {"rgb(255, 255, 255)"}  # figures are drawn for white paper
        assert len(found["colours"]) >= (7 if kind == "study" else 5)  # text, soft text, links and the badges
        assert min(map(contrast, found["colours"])) >= 4.5


def test_what_stands_side_by_side_on_a_wide_screen_is_one_under_the_other_on_a_phone(seen):
    for width in (360, 1280):
        found = seen[1][f"study {width}"]
        small, large, huge = found["images"]
        (_, _, heads), number, claimed, verdict, term, text = found["places"]
        assert number[1] == claimed[1]
        if width == 360:
            assert [small[0], large[0], huge[0]] == [360, 960, 1440]  # two fifths of their sizes: they scroll
            # Without the heads of columns that are none.
            assert heads == 0
            assert claimed[1] + claimed[2] <= verdict[1]
            assert (term[0], term[1] + term[2]) == (text[0], pytest.approx(text[1]))
        else:
            assert (small[0], huge[0]) == (450, 1200)  # from a half to a third of their sizes
            assert large[0] == pytest.approx(large[2] - 17, abs=1)  # as wide as its frame, less the padding
            assert large[2] == pytest.approx((66 - 2.5) * 17, abs=1)
            assert heads > 0
            assert number[0] < claimed[0] < verdict[0]
            assert claimed[1] == verdict[1]
            assert term[0] < text[0]
            assert term[1] == text[1]
