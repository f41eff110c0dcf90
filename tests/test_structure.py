"""The plain room knows nothing of the fast one, no import goes round, calls are short, the tests are laws."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import npnet

PACKAGE, TESTS = Path(npnet.__file__).parent, Path(__file__).parent
ROOT = TESTS.parent
PLAIN = [
    *(PACKAGE / f"{name}.py" for name in ("mlp", "backprop", "derivatives", "training", "schedules", "pruning")),
    *sorted((PACKAGE / "kernels").glob("*.py")),
]
LAWS = [*sorted(TESTS.glob("test_law_*.py")), TESTS / "test_autodiff.py"]


def imported(path):
    """Full names of the modules and of the parts of modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(path):
    """All functions and methods of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_the_plain_room_imports_nothing_of_the_fast_one(path):
    names = list(imported(path))
    assert len(names) > 0 or path.stem == "__init__"
    assert [name for name in names if name.startswith("npnet.fast")] == []


def modules(*packages):
    """The file of each module of these packages, by the module's name."""
    paths = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def modules_imported(path, known):
    """Those of the `known` modules that a file imports, or a part of which: a package if the part is no module."""
    return {name if name in known else name.rpartition(".")[0] for name in imported(path)} & known.keys()


def test_no_module_imports_itself_by_way_of_others():
    known = modules("npnet", "experiments")
    assert len(known) > 60
    try:
        TopologicalSorter({name: modules_imported(path, known) for name, path in known.items()}).prepare()
    except CycleError as error:
        pytest.fail(" is imported by ".join(error.args[1]))


def test_what_studies_share_knows_none_of_them():
    known = modules("npnet", "experiments")
    shared = {name for name in known if name.count(".") == 1 and known[name].name != "__init__.py"}
    drawn = {f"experiments.{name}" for name in ("table", "statistics", "plots", "style", "claims", "page")}
    assert drawn < shared
    for name in shared:
        assert {each for each in modules_imported(known[name], known) if each.startswith("experiments.")} <= shared
    for name in drawn:
        assert not modules_imported(known[name], known) & {"experiments.study", "experiments.trials", "experiments.run"}


def test_no_function_has_more_than_ten_parameters():
    seen = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        for function in functions(path):
            seen, args = seen + 1, function.args
            parameters = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
            names = [each.arg for each in parameters if each is not None]
            assert len(names) <= 10, f"{path.name}:{function.lineno} has {len(names)} parameters: {', '.join(names)}"
    assert seen > 200


def test_at_least_half_of_the_laws_are_given():
    tests = [f for path in LAWS for f in functions(path) if getattr(f, "name", "").startswith("test_")]
    held = [test.name for test in tests if "given" in ast.unparse(test)]
    assert len(held) >= len(tests) / 2
    assert len(tests) > 50


def test_a_commit_is_checked_as_ci_checks_it():
    checks = re.findall("entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert len(checks) > 2
    assert "\n".join(["", *checks, ""]) in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("package", ["numpy", "numba"])
def test_ci_runs_the_oldest_versions_that_are_admitted(package):
    (admitted,) = re.findall(f"{package}>=(.*)", (ROOT / "setup.cfg").read_text())
    pinned = re.findall(f"{package}==([0-9.]+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert min(pinned, key=lambda version: [int(part) for part in version.split(".")]) == f"{admitted}.0"
