"""Imports point down, and the core process stays light: shown on the import graph and on a real process."""

from __future__ import annotations

import ast
import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("numpy", "pandas", "pyomo", "cvxpy", "highspy", "pvlib", "torch", "matplotlib", "scipy")


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )


def test_all_contracts_of_the_layers_are_kept() -> None:
    done = python("import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_linter_notices_an_import_that_points_up(tmp_path: Path) -> None:
    """The contract itself is tried on a copy in which models reaches for the actors."""
    for package in ("pems_actors", "actors", "solvers", "config", "models"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "models" / "bad.py").write_text("import actors\n")
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    for section in settings.sections():
        if section not in ("importlinter", "importlinter:contract:layers"):
            settings.remove_section(section)
    with (tmp_path / "setup.cfg").open("w") as file:
        settings.write(file)
    code = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "models is not allowed to import actors" in done.stdout


@pytest.mark.parametrize("module", ["pems_actors.core", "pems_actors.twin_worker", "pems_actors.run"])
def test_a_process_of_the_house_never_imports_anything_heavy(module: str) -> None:
    code = "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(sorted(sys.modules)))"
    done = python(code, module)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint(HEAVY), sorted(loaded & set(HEAVY))


def test_building_the_command_line_imports_nothing_heavy() -> None:
    done = python(
        "import json, sys; from pems_actors.cli import build; build(); print(json.dumps(sorted(sys.modules)))"
    )
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint((*HEAVY, "pykka"))


def _sources() -> list[Path]:
    packages = ("pems_actors", "actors", "solvers", "config", "models")
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def test_no_source_uses_pickle_eval_exec_or_a_shell() -> None:
    """What comes over a socket, a pipe or a file is data."""
    found = []
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    modules = [alias.name.split(".")[0] for alias in names]
                case ast.ImportFrom(module=str(module)):
                    modules = [module.split(".")[0]]
                case ast.Call(func=ast.Name(id="eval" | "exec" | "__import__" as name)):
                    modules = [name]
                case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                    modules = ["shell"]
                case _:
                    continue
            found += [f"{path.name}: {one}" for one in modules if one in BANNED]
    assert found == []


BANNED = (
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "eval",
    "exec",
    "__import__",
    "shell",
)


@pytest.mark.parametrize("path", [p for p in _sources() if p.name == "__init__.py"], ids=lambda path: path.parent.name)
def test_a_package_imports_only_its_own_folder(path: Path) -> None:
    """Importing one module of a package must not pull in more than it needs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            own = ".".join(path.parent.relative_to(ROOT).parts)
            assert node.module == "__future__" or (node.module or "").startswith(f"{own}."), node.module
        assert not isinstance(node, ast.Import)
