"""Whatever is written into a house file, the answer is a house or lines that name the field."""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
import typing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from config.load import DEMO as DEMO_PATH
from config.load import check
from config.schema import HouseFile, WeatherError
from tests.config.house_text import demo_text, write_house

DEMO = tomllib.loads(demo_text())


def _leaves(model: type[BaseModel], at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of all single settings, as the file names them."""
    found: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        inner = [a for a in (field.annotation, *typing.get_args(field.annotation)) if isinstance(a, type)]
        models = [a for a in inner if issubclass(a, BaseModel)]
        here = (*at, field.alias or name)
        found += _leaves(models[0], here) if models else [here]
    return found


LEAVES = _leaves(HouseFile)
READ_BY_ARGUMENTS = {("weather_error", name) for name in WeatherError.model_fields} - {
    ("weather_error", "issue_every_s")
}
TABLES = {field.alias or name for name, field in HouseFile.model_fields.items()}
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters='"\\\x7f'), max_size=20)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(),
    TEXT,
    st.lists(st.integers(), max_size=3),
    st.dictionaries(TEXT, st.integers(), max_size=2),
)


def _toml(value: object) -> str:
    """A value in TOML's words."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case str():
            return f'"{value}"'
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return str(value)


def _document(data: dict[str, object]) -> str:
    tables, rows = [], []
    for name, table in data.items():
        if isinstance(table, list) and table and isinstance(table[0], dict):
            rows += [f"[[{name}]]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in row.items()) for row in table]
        elif isinstance(table, dict):
            tables.append(f"[{name}]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in table.items()))
        else:
            tables.insert(0, f"{name} = {_toml(table)}\n")
    return "".join(tables + rows)


def _changed(path: tuple[str, ...], value: object) -> str:
    data: dict[str, typing.Any] = json.loads(json.dumps(DEMO, default=str))
    table: typing.Any = data.setdefault(path[0], {}) if len(path) > 1 else data
    if isinstance(table, list):
        table = table[0]
    if value is None:
        table.pop(path[-1], None)
    else:
        table[path[-1]] = value
    return _document(data)


@settings(max_examples=200)
@given(path=st.sampled_from(LEAVES), value=SCALARS)
def test_any_value_anywhere_is_taken_or_refused_in_one_line_that_names_its_table(
    path: tuple[str, ...], value: object
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = check(write_house(Path(folder), _changed(path, value)))
    for fault in found:
        line = str(fault)
        assert "\n" not in line and fault.limit and fault.remedy
        assert re.split(r"[.\[]", fault.field)[0] in TABLES, line


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_every_setting_refuses_a_table_in_its_place(tmp_path: Path, path: tuple[str, ...]) -> None:
    found = check(write_house(tmp_path, _changed(path, {"no": 1})))
    assert any(path[-1] in fault.field for fault in found), [str(fault) for fault in found]


@settings(max_examples=100)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))))
def test_no_bytes_at_all_raise(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert check(write_house(Path(folder), content))


def test_every_setting_says_what_it_is() -> None:
    """A missing or wrong value is answered with the setting's own words, so there must be some."""
    ours = ("run", "data", "timing", "weather_error", "planner", "safety", "simulation", "user", "secrets")
    for table in ours:
        model = HouseFile.model_fields[table].annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        for name, field in model.model_fields.items():
            assert field.description, f"{table}.{name}"


def test_the_weather_error_has_the_very_arguments_of_the_feed() -> None:
    from actors.feeds.weather_error import WeatherErrorSpec

    assert WeatherErrorSpec(**WeatherError().arguments()) == WeatherErrorSpec()


def test_no_setting_is_without_effect() -> None:
    """A setting that nobody reads is a promise that nobody keeps."""
    root = DEMO_PATH.parent.parent
    readers = [path for package in ("pems_actors", "actors", "config") for path in (root / package).rglob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in readers if path.name != "schema.py")
    for table, field in HouseFile.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__.startswith("config."):
            unread = [name for name in model.model_fields if not re.search(rf"\.{name}\b", source)]
            assert [name for name in unread if (table, name) not in READ_BY_ARGUMENTS] == [], table
