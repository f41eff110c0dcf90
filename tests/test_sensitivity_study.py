"""The sensitivity study from the command line: which data it takes, and a whole run on a tiny data set."""

import csv
import dataclasses
import json
from types import MappingProxyType

import numpy as np
import pytest
from matplotlib.image import imsave

from experiments import __main__ as command_line
from experiments import executors, sensitivity
from experiments.page import Drawn
from experiments.sensitivity import figures, measures, portraits, protocol, summary, training
from experiments.sensitivity.correlations import PREDICTORS
from experiments.sensitivity.judgements import CLAIMS
from experiments.sensitivity.protocol import PAIRS, PORTRAITS, SWEEP, Scale
from npnet.data.cifar import encode
from npnet.data.datasets import load
from npnet.data.idx import read_idx, write_idx
from npnet.errors import DataError

SMALL = Scale(networks=3, pairs=2, portraits=1, examples=30, pair_examples=20)
NETWORKS = 3 + 2 * (1 + 4) + 2


def run(*arguments):
    return command_line.main(["sensitivity", *map(str, arguments)])


@pytest.fixture(autouse=True)
def _no_data_elsewhere(monkeypatch):
    monkeypatch.delenv("NPNET_DATA", raising=False)


@pytest.fixture
def measured(monkeypatch):
    """A quick run of few, small networks, looked at in few places; the trials that it measures."""
    trials = []
    monkeypatch.setattr(sensitivity, "QUICK", SMALL)
    monkeypatch.setattr(protocol, "FACTORS", MappingProxyType(dict(protocol.FACTORS) | {"augmentation": {"copies": 1}}))
    monkeypatch.setattr(measures, "PATH_POINTS", 2)
    for name, value in (("ELLIPSES", 2), ("ANGLES", 12), ("STEPS", 24), ("PLANES", 1), ("SIDE", 9)):
        monkeypatch.setattr(portraits, name, value)
    monkeypatch.setattr(portraits, "ANCHORS", (2, 6, 10))
    network, train = training.network, training.train
    for module in (measures, portraits):

        def measure(trial, data, found=module.measure):
            trials.append(trial)
            return found(trial, data)

        monkeypatch.setattr(module, "measure", measure)
        monkeypatch.setattr(
            module, "network", lambda trial, data: network(dataclasses.replace(trial, width=16, depth=1), data)
        )
    monkeypatch.setattr(
        training, "train", lambda *args, **options: train(*args, **options | {"epochs": 15, "learning_rate": 0.3})
    )
    return trials


@pytest.fixture
def undrawn(monkeypatch):
    """Figures of a single pixel; to draw them takes longer than all else."""

    def draw_all(study, folder):
        (folder / "figures").mkdir(exist_ok=True)
        paths = [folder / "figures" / name for name in sorted({name for claim in CLAIMS for name in claim.figures})]
        for path in paths:
            imsave(path, np.zeros((1, 1)))
        return [Drawn(path, "", 0) for path in paths]

    monkeypatch.setattr(figures, "draw_all", draw_all)


# A whole run.


def test_a_run(tiny, measured, unrendered, tmp_path, capsys):
    assert run("--quick", "--data", tiny, "--out", tmp_path, "--workers", 1) == 0
    assert len(measured) == len(set(measured)) == NETWORKS
    assert [sum(trial.part == part for trial in measured) for part in (SWEEP, PAIRS, PORTRAITS)] == [3, 10, 2]
    # What costs most was done first.
    costs = list(map(protocol.cost, measured))
    assert costs == sorted(costs, reverse=True)

    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert len(lines) == 1 + NETWORKS
    results = [json.loads(line)["result"] for line in lines[1:]]
    fitted = sum(result["training_accuracy"] == 1 for result in results)
    assert 0 < fitted < NETWORKS

    drawn = {path.name for path in (tmp_path / "figures").glob("*.png")}
    printed = capsys.readouterr().out
    assert f"{NETWORKS} networks, {fitted} fit their training examples: {tmp_path}/results.jsonl" in printed
    assert printed.endswith(f"({len(drawn)} figures)\nopen {tmp_path}/index.html\n")
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert html.count("<article") == len(CLAIMS)
    assert html.count("<img") == len(drawn)
    assert {name for claim in CLAIMS for name in claim.figures} == drawn
    assert f"with {NETWORKS} networks on MNIST, of which {fitted} came to classify" in html
    assert sensitivity.A_QUICK_RUN in html
    assert sensitivity.A_QUICK_RUN in printed
    assert (tmp_path / "claims.md").read_text().count(" | **") == len(CLAIMS)
    with (tmp_path / "networks.csv").open() as file:
        assert len([row for row in csv.DictReader(file) if row["part"] == SWEEP]) == 3

    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["seeds"] == [0, 1, 2]
    assert len(settings["data"]) == 4
    assert all(name.startswith("mnist: ") for name in settings["data"])
    found = json.loads((tmp_path / "summary.json").read_text())
    assert (found["fitted"], found["networks"], found["processors"], found["figures"]) == (
        fitted,
        NETWORKS,
        1,
        len(drawn),
    )
    assert found["seconds"] > 0
    text = summary.readme(tmp_path)
    assert f"{fitted} of the networks classify all their training examples right." in text
    assert text.count("\n| MNIST | ") == 5
    assert text.count(" | **") == len(CLAIMS)


def test_the_readme_says_why_there_is_no_correlation(tmp_path):
    texts = {name: {"all": "0.10 [0.00, 0.20]", "within": "nan [nan, nan] (n = 9)"} for name in PREDICTORS}
    found = {"seconds": None, "processors": 2, "networks": 3, "figures": 1, "fitted": 2, "claims": []}
    (tmp_path / "summary.json").write_text(json.dumps(found | {"correlations": {"mnist": texts}}))
    assert summary.readme(tmp_path).count(" | 0.10 [0.00, 0.20] | the same within each |\n") == len(PREDICTORS)


def test_threads_and_interruptions_change_nothing(tiny, measured, undrawn, tmp_path, capsys, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    assert run("--quick", "--data", tiny, "--out", one, "--workers", 1) == 0
    expected = (one / "results.jsonl").read_bytes()
    everything = set(measured)
    measured.clear()

    whole = measures.measure

    def stopping(trial, data):
        if len(measured) >= NETWORKS // 2:
            raise DataError("enough")
        return whole(trial, data)

    with monkeypatch.context() as patch:
        patch.setattr(measures, "measure", stopping)
        assert run("--quick", "--data", tiny, "--out", two, "--workers", 2) == 2
    assert "error: enough (in the trial Trial(part=" in capsys.readouterr().err
    before = set(measured)
    assert 0 < len(before) < NETWORKS
    measured.clear()
    assert run("--quick", "--data", tiny, "--out", two, "--workers", 2) == 0
    assert set(measured) == everything - before
    assert len(measured) == len(set(measured))
    assert f"resuming: {len(before)} of {NETWORKS} trials found" in capsys.readouterr().err
    assert (two / "results.jsonl").read_bytes() == expected
    measured.clear()
    assert run("--quick", "--data", tiny, "--out", two, "--workers", 2) == 0
    assert measured == []
    assert (two / "results.jsonl").read_bytes() == expected
    for name in ("networks.csv", "claims.md"):
        assert (two / name).read_bytes() == (one / name).read_bytes()
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (one, two)]
    assert [each.pop("seconds") is None for each in summaries] == [False, True]
    assert summaries[0] == summaries[1] | {"processors": 1}


def test_options_give_the_number_of_networks_and_of_their_examples(tiny, measured, undrawn, tmp_path):
    assert run("--quick", "--data", tiny, "--out", tmp_path, "--networks", 1, "--examples", 30, "--workers", 2) == 0
    assert sum(trial.part == SWEEP for trial in measured) == 1
    assert {trial.examples for trial in measured} == {30, SMALL.pair_examples}


def test_pairs_and_portraits_are_on_the_first_data_set(tiny, measured, undrawn, tmp_path, monkeypatch):
    # Other files, as if they were Fashion-MNIST's.
    other = tmp_path / "other"
    other.mkdir()
    for path in tiny.iterdir():
        array = read_idx(path)
        write_idx(other / path.name, 255 - array if array.ndim > 1 else array)
    folders = {"fashion-mnist": other, "mnist": tiny}
    for module in (sensitivity, executors):
        monkeypatch.setattr(module, "load", lambda name, folder=None: load(name, folders[name]))
    assert run("--quick", "--dataset", "fashion-mnist", "mnist", "--out", tmp_path / "out", "--workers", 2) == 0
    assert [t.dataset for t in measured if t.part != SWEEP] == ["fashion-mnist"] * (NETWORKS - 3)
    sweep = [(t.dataset, t.seed) for t in measured if t.part == SWEEP]
    assert sorted(sweep) == [(name, seed) for name in ("fashion-mnist", "mnist") for seed in range(3)]
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert len(settings["data"]) == 8


def test_images_in_colour(colourful, measured, undrawn, tmp_path, monkeypatch):
    for module in (sensitivity, executors):
        monkeypatch.setattr(module, "load", lambda name, folder=None: colourful)
    assert run("--quick", "--dataset", "cifar10", "--networks", 1, "--out", tmp_path) == 0
    assert {trial.dataset for trial in measured} == {"cifar10"}
    assert "networks on CIFAR-10, of which" in (tmp_path / "index.html").read_text(encoding="utf-8")


# What a user can do wrong.


def refusal(capsys, *arguments):
    """The sentence that a command ends with."""
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.endswith("\n")
    assert error.count("\n") == 1
    return error[len("error: ") : -1]


@pytest.fixture
def out(tmp_path):
    """A folder that a refused command does not make."""
    folder = tmp_path / "out"
    yield folder
    assert not folder.exists()


def test_an_unknown_data_set(out, capsys):
    said = refusal(capsys, "--dataset", "imagenet", "--out", out)
    assert "imagenet" in said
    assert all(name in said for name in protocol.TITLES)


def test_cifar10_is_told_where_it_comes_from(out, capsys):
    said = refusal(capsys, "--dataset", "cifar10", "--out", out)
    assert "cifar10" in said
    assert "cifar-10-binary.tar.gz" in said
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in said


def test_one_folder_holds_one_data_set(tiny, out, capsys):
    said = refusal(capsys, "--dataset", "mnist", "fashion-mnist", "--data", tiny, "--out", out)
    assert said == "--data: found with 2 data sets, expected one, for a folder holds one set"


def test_the_same_files_under_two_names(tiny, out, capsys, monkeypatch):
    monkeypatch.setenv("NPNET_DATA", str(tiny))
    said = refusal(capsys, "--dataset", "mnist", "fashion-mnist", "--out", out)
    assert said == "--dataset: found the same files for mnist and fashion-mnist, expected different ones"


def test_too_many_examples(tiny, out, capsys):
    said = refusal(capsys, "--quick", "--examples", 121, "--data", tiny, "--out", out)
    assert said == "--examples: found 121, expected at most 120, the training images of mnist"


def test_too_few_examples(tiny, out, capsys):
    said = refusal(capsys, "--quick", "--examples", 29, "--data", tiny, "--out", out)
    assert said == "--examples: found 29, expected at least 30, three images of each class"


def test_a_missing_digit(tiny, tmp_path, out, capsys):
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in tiny.iterdir():
        array = read_idx(path)
        write_idx(folder / path.name, np.where(array == 7, 6, array).astype(np.uint8) if array.ndim == 1 else array)
    said = refusal(capsys, "--quick", "--data", folder, "--out", out)
    assert said == "mnist: found no label 7 in the training file, expected all of 0 to 9"


def test_quick_and_full_exclude_each_other(out, capsys):
    said = refusal(capsys, "--quick", "--full", "--out", out)
    assert said == "--full: found together with --quick, expected one of the two"


@pytest.mark.parametrize("option", ["--networks", "--examples"])
def test_numbers_are_at_least_one(option, out, capsys):
    said = refusal(capsys, option, 0, "--out", out)
    assert said.startswith(f"argument {option}: expected a whole number of at least 1, found '0'")


# Which data sets a run takes by itself.


def chosen(capsys, *arguments):
    parser = command_line._Parser()
    sensitivity.add_arguments(parser)
    found = sensitivity._datasets(parser.parse_args([*map(str, arguments)]))
    return list(found), capsys.readouterr().err


@pytest.fixture
def installed(monkeypatch, dataset, colourful):
    """Data sets by their names instead of files."""
    sets = {"mnist": dataset}

    def load(name, folder=None):
        if name not in sets:
            raise DataError(f"found no {name}")
        return sets[name]

    monkeypatch.setattr(sensitivity, "load", load)
    return sets


def test_fashion_mnist_where_it_is_installed(installed, colourful, capsys):
    assert chosen(capsys) == (["mnist"], "without fashion-mnist: found no fashion-mnist\n")
    installed["fashion-mnist"] = dataclasses.replace(colourful, checksums={"other": "files"})
    assert chosen(capsys) == (["mnist", "fashion-mnist"], "")
    assert chosen(capsys, "--full") == (["mnist", "fashion-mnist"], "")
    for arguments in (["--quick"], ["--data", "folder"], ["--dataset", "mnist"]):
        assert chosen(capsys, *arguments) == (["mnist"], "")
    assert chosen(capsys, "--quick", "--dataset", "fashion-mnist", "mnist")[0] == ["fashion-mnist", "mnist"]
    # NPNET_DATA names one folder for both.
    installed["fashion-mnist"] = installed["mnist"]
    said = "without fashion-mnist: NPNET_DATA names the same files for it as for mnist\n"
    assert chosen(capsys) == (["mnist"], said)


def test_cifar10_in_its_folder(tmp_path, capsys):
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(10, dtype=np.uint8), 4)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        images = rng.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
        (tmp_path / f"{name}.bin").write_bytes(encode(images, labels))
    assert chosen(capsys, "--dataset", "cifar10", "--data", tmp_path) == (["cifar10"], "")


def test_a_data_set_given_twice_is_one(tiny, capsys):
    assert chosen(capsys, "--dataset", "mnist", "mnist", "--data", tiny) == (["mnist"], "")
