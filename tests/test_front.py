"""The front page: a part for each study that has left a summary, whole whoever writes it at the same time."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from matplotlib.image import imsave

from experiments import front
from experiments.front import TITLE, write_front_page
from experiments.store import StoreError


def left(folder, name, quick=False, **other):
    """What a run leaves that the front page is made of."""
    (folder / "figures").mkdir(parents=True)
    imsave(folder / "figures" / "best.png", np.zeros((30, 30)))
    summary = {"name": name, "quick": quick, "title": f"About {name}", "introduction": f"In short {name}."}
    summary |= {"figures": ["best.png", "absent.png"], "caption": f"Figure of {name}."}
    summary["claims"] = [{"kind": kind} for kind in ("HOLDS", "HOLDS", "OPEN")]
    (folder / "summary.json").write_text(json.dumps(summary | other))


def links(folder):
    """The folders to which the headings lead."""
    found = re.findall('<h2><a href="(.*?)/index.html">', (folder / "index.html").read_text())
    return [unquote(urlsplit(unescape(link)).path) for link in found]


def test_each_study_has_its_part(tmp_path):
    left(tmp_path / "one", "one")
    write_front_page(tmp_path)
    html = (tmp_path / "index.html").read_text()
    assert re.findall("<h1>(.*?)</h1>", html) == [TITLE]
    for text in (
        "About one",
        "In short one.",
        "<figcaption>Figure of one.",
        "Of 3 claims",
        "✓ holds: 2",
        "? cannot be judged by so small a run: 1",
    ):
        assert html.count(text) == 1
    assert "aspect-ratio: 30 / 30" in html


def test_the_order_is_the_one_given_then_by_name_and_quick_runs_are_last(tmp_path):
    for name in ("b", "a", "first", "second"):
        left(tmp_path / name, name)
        left(tmp_path / f"{name}-quick", name, quick=True)
    left(tmp_path / "größe #1 & <x>%", "first")
    write_front_page(tmp_path, ["first", "second"])
    assert links(tmp_path) == [
        *("first", "größe #1 & <x>%", "second", "a", "b"),
        *("first-quick", "second-quick", "a-quick", "b-quick"),
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": 3}', '{"name": "a", "quick": false}'])
def test_a_summary_of_another_version_is_left_out(tmp_path, capsys, text):
    left(tmp_path / "one", "one")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "summary.json").write_text(text)
    write_front_page(tmp_path)
    assert links(tmp_path) == ["one"]
    message = "is no summary of this version and left out of the front page"
    assert capsys.readouterr().err == f"{tmp_path / 'old' / 'summary.json'}: {message}\n"


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(StoreError, match=r"absent: cannot be written \(No such file or directory\)$"):
        write_front_page(tmp_path / "absent")


def test_runs_that_end_at_the_same_time_all_get_their_part(tmp_path, monkeypatch):
    names = [f"s{number}" for number in range(6)]
    writing = []
    write = front.write_atomically

    def alone(path, data):
        writing.append(path)
        assert len(writing) == 1
        write(path, data)
        writing.remove(path)

    monkeypatch.setattr(front, "write_atomically", alone)

    def end(name):
        left(tmp_path / "made" / name, name)
        (tmp_path / "made" / name).rename(tmp_path / "results" / name)
        write_front_page(tmp_path / "results")

    (tmp_path / "results").mkdir()
    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(end, names))
    assert links(tmp_path / "results") == names
    assert (tmp_path / "results" / "index.html").read_text().endswith("</html>\n")
