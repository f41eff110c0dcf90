"""Figures: equal figures are equal files, whatever the user's matplotlib is set to."""

import re

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from experiments.store import StoreError
from experiments.style import COLOURS, panels, save, style

CAPTION = "F1 against width; mean of n = 3 seeds, 2 357 images of 4 and 9 each. " * 3


def draw(folder, caption=CAPTION, name="a.png"):
    with style():
        drawing, axes = panels(1, 2, sharey=True)
        for ax in axes.flat:
            ax.plot([1, 2], [3, 4])
        return save(drawing, folder / name, caption)


def test_a_figure_is_a_file_with_its_caption(tmp_path):
    path, caption = draw(tmp_path)
    assert path == tmp_path / "a.png"
    assert caption == CAPTION
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert CAPTION.encode() in data
    assert b"Software" not in data
    assert not re.search(rb"20\d\d-\d\d", data)
    assert 1440 < imread(path).shape[1] < 1600  # two panels of 6 inches at 120 dots per inch, less the margins


def test_equal_figures_are_equal_files_with_any_settings(tmp_path):
    first = draw(tmp_path / "figures" / "one").path.read_bytes()
    with matplotlib.rc_context({"font.size": 4, "savefig.dpi": 30, "axes.facecolor": "red", "savefig.pad_inches": 2}):
        assert draw(tmp_path / "two").path.read_bytes() == first


def test_the_users_settings_come_back():
    def settings():
        # Without the backend: looking at it would choose one.
        return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}

    before = settings()
    with style():
        assert matplotlib.rcParams["font.size"] == 15
    assert settings() == before


def test_a_figure_that_cannot_be_written(tmp_path):
    (tmp_path / "figures").write_text("in the way")
    with pytest.raises(StoreError, match=r"figures/a\.png: cannot be written"):
        draw(tmp_path / "figures")


def test_colours_differ_without_red_and_without_green():
    # What the colour-blind see, roughly: luminance, and blue against yellow.
    rgb = np.array([to_rgb(colour) for colour in COLOURS])
    seen = np.column_stack([rgb @ [0.299, 0.587, 0.114], rgb[:, 2] - rgb[:, :2].mean(axis=1)])
    apart = np.linalg.norm(seen[:, None] - seen, axis=2)[~np.eye(len(seen), dtype=bool)]
    assert apart.min() > 0.1
    assert seen[:, 0].max() < 0.7  # not lost on white
