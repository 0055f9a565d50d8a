"""The example house file, written from the schema: every setting with its unit, range, default and help.

`python -m config.example` writes `home.example.toml` anew; a test keeps it as the schema is. A setting that the example
gives is written; one that it leaves at its default stands there as a comment, ready to be changed.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.load import DEMO
from config.schema import HouseFile

PATH = Path(__file__).parent / "home.example.toml"
WIDTH = 118
HEAD = """\
# A house file: what this house is, what it runs on, how careful PEMS is. Written by `python -m config.example` from the
# schema; copy it and change the copy. Above each setting: what it means, its unit, its range, its default. A setting
# behind a `#` stands at its default: remove the `#` to change it. What has no default is "needed".
#
#     python -m pems_actors check my-house.toml     names every fault: field, value, limit, remedy
#
# Units are in the names; fractions are fractions (20 % is written 0.20); times of day are local hours; passwords and
# tokens never stand in this file (see [secrets]). Paths are relative to the folder of the file."""

# The example is the house of demo.toml at another place: no replay, nothing that a demo may do.
AWAY = ("run", "data", "weather_error", "simulation")
SITE: Mapping[str, object] = {
    "latitude_deg": 49.2, "longitude_deg": 16.6, "altitude_m": 230, "timezone": "Europe/Prague",
}  # fmt: skip

# Endings of names -> unit; the longest that fits counts.
UNITS: Mapping[str, str] = {
    "_deg": "degrees", "_m": "m", "_m2": "m2", "_kw": "kW", "_w": "W", "_kwh": "kWh", "_a": "A", "_v": "V",
    "_c": "degC", "_k": "K", "_s": "s", "_min": "minutes", "_h": "hours", "_days": "days", "_eur": "EUR",
    "_eur_per_kwh": "EUR/kWh", "_eur_per_kh": "EUR/Kh", "_per_c": "1/degC", "_w_per_k": "W/K", "_per_h": "an hour",
    "_m2_per_m2": "m2/m2", "_kwh_per_k_m2": "kWh/(K m2)", "_kw_per_k_m2": "kW/(K m2)", "_m_per_s": "m/s",
    "_starts_h": "hours", "_ends_h": "hours", "_kwh_per_year": "kWh/year", "_max_days": "days", "_percent": "%",
    "soc": "fraction", "_soc": "fraction", "soc_min": "fraction", "soc_max": "fraction", "_share": "fraction",
}  # fmt: skip
UNIT_OF: Mapping[str, str] = {
    "arrays.losses": "fraction", "tariff.import_fee": "EUR/kWh", "tariff.distribution": "EUR/kWh",
    "tariff.distribution_high": "EUR/kWh", "tariff.export_fee": "EUR/kWh", "tariff.vat": "fraction",
    "tariff.high_hours": "hours", "inverter.eff_charge_pv": "fraction", "inverter.eff_charge_ac": "fraction",
    "inverter.eff_discharge": "fraction",
}  # fmt: skip
# Help for tables and settings whose class says none.
HELP: Mapping[str, str] = {
    "house": "rules of the whole house",
    "site.altitude_m": "above the sea",
    "arrays.tilt_deg": "from the horizontal: 0 lies flat, 90 stands upright",
    "battery.soc_max": "charging ends here",
    "connection.phases": "of the house connection",
    "connection.voltage_v": "of one phase against neutral",
    "connection.export_contract_kw": "most that may be fed in",
    "tariff.import_fee": "what the supplier adds to the spot price, without VAT",
    "tariff.distribution": "of the grid, in the hours of the low tariff, without VAT",
    "tariff.distribution_high": "of the grid, in high_hours, without VAT",
    "tariff.high_hours": "local hours of the high tariff: 10 is 10:00 to 11:00",
    "tariff.vat": "on everything that is bought",
    "tariff.export_fee": "what the buyer keeps of the spot price",
    "thermal.slab_kwh_per_k_m2": "heat that the floor stores",
    "thermal.slab_air_kw_per_k_m2": "from the floor to the room",
    "rooms.heater_kw": "rated power of its heating",
    "rooms.area_m2": "heated floor",
    "rooms.day_min_c": "lower edge of its band from house.day_starts_h to day_ends_h",
    "rooms.night_min_c": "lower edge of its band in the other hours",
    "rooms.max_c": "upper edge of its band, always",
    "rooms.facing": "where its windows look",
    "house.day_starts_h": "the band of the day begins",
    "house.day_ends_h": "the band of the night begins",
    "house.relay_min_on_s": "a relay that was switched on stays on so long, safety apart",
    "house.relay_min_off_s": "a relay that was switched off stays off so long, safety apart",
    "house.relay_starts_per_h": "a relay is switched on at most so often",
}


def text() -> str:
    """The whole example file."""
    lines = [HEAD, *_body((), HouseFile, _given(), away=False)]
    return "\n".join(lines) + "\n"


def _given() -> dict[str, Any]:
    demo = tomllib.loads(DEMO.read_text(encoding="utf-8"))
    return {name: body for name, body in demo.items() if name not in AWAY} | {"site": dict(SITE)}


def _body(path: tuple[str, ...], model: type[BaseModel], given: Mapping[str, Any], *, away: bool) -> Iterator[str]:
    """The settings of a table, then the tables in it: in TOML what follows a table's head belongs to that table."""
    fields = [(field.alias or name, field) for name, field in model.model_fields.items()]
    for key, field in fields:
        if table_of(field.annotation) is None:
            yield from _setting((*path, key), field, given.get(key), key in given)
    for key, field in fields:
        inner = table_of(field.annotation)
        if inner is not None and is_list(field.annotation):
            yield from _rows((*path, key), inner, given.get(key, ()), field)
        elif inner is not None:
            yield from _table((*path, key), inner, given.get(key, {}), field, away=away)


def _table(
    path: tuple[str, ...], model: type[BaseModel], given: Mapping[str, Any], field: FieldInfo, *, away: bool
) -> Iterator[str]:
    nothing = not given and (away or default_of(field) is None)  # its mere head would make it something
    yield from _title(path, model, field, ("# [{}]  (there is none until this line is one)" if nothing else "[{}]"))
    yield from _body(path, model, given, away=nothing)


def _rows(
    path: tuple[str, ...], model: type[BaseModel], rows: Sequence[Mapping[str, Any]], field: FieldInfo
) -> Iterator[str]:
    yield from _title(path, model, field, "[[{}]]" if rows else "# [[{}]]  (one for each; there is none yet)")
    yield from _body(path, model, rows[0] if rows else {}, away=not rows)
    for row in rows[1:]:
        yield f"\n[[{'.'.join(path)}]]"
        yield from (f"{key} = {toml(value)}" for key, value in row.items())


def _title(path: tuple[str, ...], model: type[BaseModel], field: FieldInfo, form: str) -> Iterator[str]:
    said = " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())
    said = said.partition("]: ")[2] or said
    said = said or HELP.get(".".join(path), "")
    sentences = [part[:1].upper() + part[1:].rstrip(".") + "." for part in (said, field.description) if part]
    yield "\n\n" + "\n".join(_wrapped(" ".join(sentences), "# --- "))
    yield form.format(".".join(path))


def _setting(path: tuple[str, ...], field: FieldInfo, value: Any, written: bool) -> Iterator[str]:
    yield "\n".join(_wrapped(comment(path, field), "# "))
    if written:
        yield f"{path[-1]} = {toml(value)}"
    elif field.is_required() or (default := default_of(field)) is None:
        yield f"# {path[-1]} ="
    else:
        yield f"# {path[-1]} = {toml(default)}"


def comment(path: Sequence[str], field: FieldInfo) -> str:
    """What stands above a setting: help, unit, range, default."""
    name = ".".join(path)
    unit = UNIT_OF.get(name) or _unit(path[-1])
    needed = field.is_required()
    default = None if needed else default_of(field)
    facts = [
        unit,
        range_of(field),
        "needed" if needed else f"default {'none' if default is None else toml(default)}",
    ]
    return f"{field.description or HELP.get(name, '')} [{'; '.join(fact for fact in facts if fact)}]"


def _unit(name: str) -> str:
    fitting = [ending for ending in UNITS if name.endswith(ending)]
    return UNITS[max(fitting, key=len)] if fitting else ""


def range_of(field: FieldInfo) -> str:
    """The values that a setting may have, in a few words; empty where any text will do."""
    choices = _choices(field.annotation)
    if choices:
        return " or ".join(toml(choice) for choice in choices)
    bounds = _bounds(field)
    low, high = bounds.get(Ge, bounds.get(Gt)), bounds.get(Le, bounds.get(Lt))
    if low is not None and high is not None and Gt not in bounds and Lt not in bounds:
        return f"{'each ' if is_list(field.annotation) else ''}{low:g} .. {high:g}"
    words = [
        f"{word} {bounds[kind]:g}"
        for kind, word in ((Gt, "above"), (Ge, "at least"), (Le, "at most"), (Lt, "below"))
        if kind in bounds
    ]
    return ", ".join(words)


def _bounds(field: FieldInfo) -> dict[type, float]:
    """Of a number, or of the numbers in a list."""
    found: dict[type, float] = {}
    inner = [m for part in _parts(field.annotation) for m in getattr(part, "__metadata__", ())]
    for item in (*field.metadata, *inner, *(m for i in inner if isinstance(i, FieldInfo) for m in i.metadata)):
        for kind, name in ((Ge, "ge"), (Gt, "gt"), (Le, "le"), (Lt, "lt")):
            if isinstance(item, kind):
                found[kind] = float(getattr(item, name))
    return found


def _choices(annotation: Any) -> tuple[Any, ...]:
    for part in (annotation, *_parts(annotation)):
        if part is bool:
            return (True, False)
        if typing.get_origin(part) is typing.Literal:
            return typing.get_args(part)
        if isinstance(part, type) and issubclass(part, Enum):
            return tuple(member.value for member in part)
    return ()


def _parts(annotation: Any) -> tuple[Any, ...]:
    """What a union or a list is made of; not the choices of a Literal."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, tuple, list):
        return typing.get_args(annotation)
    return ()


def table_of(annotation: Any) -> type[BaseModel] | None:
    """The class of a table, of an optional one, or of the rows of a list; None for a plain setting."""
    for part in (annotation, *_parts(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def is_list(annotation: Any) -> bool:
    """Whether there are rows of it."""
    return typing.get_origin(annotation) in (tuple, list)


def default_of(field: FieldInfo) -> Any:
    """What a setting is if nobody says; None: nothing."""
    return field.get_default(call_default_factory=True, validated_data={})


def toml(value: Any) -> str:
    """A value in TOML's words."""
    match value:
        case Enum():
            return toml(value.value)
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return f"{value:g}" if float(f"{value:g}") == value else repr(value)
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False)
        case dt.date() | dt.time():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(toml(one) for one in value)}]"
        case dict():
            return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
        case _:
            raise TypeError(f"{type(value).__name__} has no words in TOML")


def _wrapped(line: str, begin: str) -> Iterator[str]:
    words, current = line.split(), begin.rstrip()
    for word in words:
        if len(current) + 1 + len(word) > WIDTH:
            yield current
            current = "#"
        current += f" {word}"
    yield current


def main() -> None:
    """Write the file."""
    PATH.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{PATH}\n")


if __name__ == "__main__":
    main()
