"""The example house file is what the schema says, as it is today."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from config import example
from config.load import DEMO, check, load
from config.schema import HouseFile

TEXT = example.PATH.read_text(encoding="utf-8")


def settings(model: type[BaseModel], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every single setting, by the path under which a file has it."""
    for name, field in model.model_fields.items():
        path, inner = (*at, field.alias or name), example.table_of(field.annotation)
        if inner is None:
            yield path, field
        else:
            yield from settings(inner, path)


SETTINGS = list(settings(HouseFile))


def parts(text: str) -> dict[str, str]:
    """The text of each table from its head to the next title."""
    found: dict[str, str] = {}
    for block in text.split("\n\n\n")[1:]:
        head = re.search(r"^(?:# )?\[\[?([a-z_.0-9]+)\]\]?", block, re.M)
        assert head, block[:200]
        found[head[1]] = block
    return found


def test_the_example_is_current() -> None:
    assert example.text() == TEXT, "the schema has changed: run `python -m config.example`"


def test_the_example_is_a_house_without_a_fault_at_its_place_in_moravia() -> None:
    assert check(example.PATH) == []
    file = load(example.PATH)
    assert (file.site.latitude_deg, file.site.longitude_deg, file.site.timezone) == (49.2, 16.6, "Europe/Prague")
    assert file.house.rooms == load(DEMO).house.rooms and len(file.house.rooms) == 17
    assert file.run.start is None and file.run.allow_inject is False


@pytest.mark.parametrize(("path", "field"), SETTINGS, ids=[".".join(path) for path, _ in SETTINGS])
def test_every_setting_stands_in_its_table_with_help_and_default(path: tuple[str, ...], field: FieldInfo) -> None:
    block = parts(TEXT)[".".join(path[:-1])]
    found = re.search(rf"((?:^#.*\n)+?)^(?:# )?{path[-1]} =", block, re.M)
    assert found, f"{path[-1]} is not in [{'.'.join(path[:-1])}]"
    above = " ".join(line.lstrip("# ") for line in found[1].splitlines())
    help_text = field.description or example.HELP.get(".".join(path), "")
    assert help_text, f"say in the schema what {'.'.join(path)} means"
    assert " ".join(help_text.split()) in above
    assert "needed]" in above if field.is_required() else "default " in above


def test_help_of_the_generator_is_only_for_settings_that_have_none() -> None:
    known = {".".join(path): field for path, field in SETTINGS}
    assert [name for name in example.HELP if name in known and known[name].description] == []
    tables = set(parts(TEXT))
    assert [name for name in example.HELP if name not in known and name not in tables] == []
    assert [name for name in example.UNIT_OF if name not in known] == []


def test_every_number_of_the_example_is_in_a_unit_or_has_none() -> None:
    """A length of time without a unit is how minutes become seconds."""
    for path, _ in SETTINGS:
        if re.search(r"_(s|h|min|kw|kwh|c|k|a|v|deg)$", path[-1]):
            assert example._unit(path[-1]), path


def test_every_default_that_stands_behind_a_mark_is_the_default() -> None:
    head, *blocks = TEXT.split("\n\n\n")
    there = [b for b in blocks if not re.search(r"^# \[", b, re.M)]  # tables that are none until they are written
    changed = re.sub(r"^# ([a-z_0-9]+ = .+)$", r"\1", "\n\n\n".join([head, *there]), flags=re.M)
    assert len(changed) < len(TEXT) - 100, "nothing stood behind a mark"
    assert HouseFile.model_validate(tomllib.loads(changed)) == HouseFile.model_validate(tomllib.loads(TEXT))


def test_a_value_keeps_its_meaning_in_tomls_words() -> None:
    values = {
        "a": True, "b": -3, "c": 0.1, "d": 1e-9, "e": 7200.0, "f": 'say "ž"\n', "g": [1, 2], "h": Path("a/b"),
        "i": 1 / 3, "j": {"x": 1}, "k": 12345678.5,
    }  # fmt: skip
    text = "\n".join(f"{key} = {example.toml(value)}" for key, value in values.items())
    assert tomllib.loads(text) == values | {"h": "a/b"}
    with pytest.raises(TypeError, match="NoneType"):
        example.toml(None)


class Inner(BaseModel):
    """[outer.inner]: a table in a table."""

    depth_m: float = Field(1.0, gt=0, description="how deep")


class Outer(BaseModel):
    """[outer]: tables of every kind."""

    kind: Literal["a", "b"] = Field("a", description="which")
    inner: Inner = Inner()
    maybe: Inner | None = None
    rows: tuple[Inner, ...] = ()
    number_kw: float | None = Field(None, gt=0, lt=5, description="how much")
    hours: tuple[float, ...] = Field((), description="some")


def test_tables_of_every_kind_find_their_place() -> None:
    lines = [*example._body(("outer",), Outer, {}, away=False)]
    assert [line for line in "\n".join(lines).splitlines() if line and "---" not in line] == [
        '# which ["a" or "b"; default "a"]',
        '# kind = "a"',
        "# how much [kW; above 0, below 5; default none]",
        "# number_kw =",
        "# some [default []]",
        "# hours = []",
        "[outer.inner]",
        "# how deep [m; above 0; default 1]",
        "# depth_m = 1",
        "# [outer.maybe]  (there is none until this line is one)",
        "# how deep [m; above 0; default 1]",
        "# depth_m = 1",
        "# [[outer.rows]]  (one for each; there is none yet)",
        "# how deep [m; above 0; default 1]",
        "# depth_m = 1",
    ]


def test_running_the_module_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "PATH", tmp_path / "written.toml")
    example.main()
    assert (tmp_path / "written.toml").read_text(encoding="utf-8") == example.text()


def test_nothing_heavy_is_needed_to_write_it() -> None:
    code = (
        "import sys, config.example; config.example.text();"
        "sys.exit(', '.join(sorted({'numpy', 'pandas', 'pykka'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
