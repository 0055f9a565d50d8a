"""One fault of a house file in one line: field, value, limit, remedy; and how pydantic's findings become such lines."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

MISSING = "(missing)"
VALUE_WIDTH = 60

# endings of names -> the unit that is likely meant when a value only fits after division by the factor
LOOKALIKES: tuple[tuple[tuple[str, ...], float, str], ...] = (
    (("_eur_per_kwh",), 1000.0, "EUR/MWh"),
    (("_kw", "_kwh"), 1000.0, "W"),
    (("_share", "soc", "losses", "vat", "soc_min", "soc_max"), 100.0, "a percentage"),
    (("_fee", "distribution", "distribution_high"), 1000.0, "EUR/MWh"),
    (("_s",), 1000.0, "milliseconds"),
    (("_h",), 60.0, "minutes"),
)
KELVIN_AT_0_C = 273.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something in a house file that we cannot or must not follow."""

    field: str  # "battery.soc_min", "rooms[3] (kuchyne).max_c"; "" for the whole file
    value: str
    limit: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.field} = {self.value}" if self.value else self.field
        return " ".join(f"{where}: {self.limit}; {self.remedy}".split())

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def shown(value: object) -> str:
    """A value as the file has it, short."""
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 3]}..."


def field_path(loc: Sequence[int | str], data: object) -> str:
    """`("rooms", 3, "max_c")` -> `rooms[3] (kuchyne).max_c`: rows are named where they have a name."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            data = data[part] if isinstance(data, list) and part < len(data) else None
            name = data.get("name") if isinstance(data, Mapping) else None
            path += f"[{part}]" + (f" ({shown(name)[1:-1]})" if isinstance(name, str) else "")
        else:
            data = data.get(part) if isinstance(data, Mapping) else None
            path += f".{part}" if path else part
    return path


def faults_of(error: ValidationError, model: type[BaseModel], data: object) -> list[Fault]:
    """Each finding of pydantic as one fault, in the words of the file."""
    return [_fault(finding, model, data) for finding in error.errors(include_url=False)]


def _fault(finding: ErrorDetails, model: type[BaseModel], data: object) -> Fault:
    loc, kind = finding["loc"], finding["type"]
    info = _field_at(model, loc)
    path = field_path(loc, data)
    name = str(next((p for p in reversed(loc) if isinstance(p, str)), ""))
    if kind == "extra_forbidden":
        return _unknown_key(path, name, model, loc)
    if kind == "missing":
        remedy = f"add it: {info.description}" if info is not None and info.description else "add it"
        return Fault(field=path, value=MISSING, limit="needed", remedy=f"{remedy}{_range_text(info)}")
    if kind == "value_error":  # a model's own check: its text names values and limits
        text = finding["msg"].removeprefix("Value error, ")
        limit, _, remedy = text.partition("; ")
        return Fault(field=path or "house", value="", limit=limit, remedy=remedy or "correct one of them")
    value = finding["input"]
    bounds = _bounds(info)
    limit = _limit_text(finding, info, bounds)
    return Fault(field=path, value=shown(value), limit=limit, remedy=_remedy(name, value, info, bounds))


def _unknown_key(path: str, name: str, model: type[BaseModel], loc: Sequence[int | str]) -> Fault:
    owner = _model_at(model, loc[:-1])
    known = [field.alias or key for key, field in owner.model_fields.items()] if owner is not None else []
    near = nearest(name, known)
    remedy = f"did you mean {near!r}?" if near else f"known here: {', '.join(known)}" if known else "remove it"
    return Fault(field=path, value="", limit="unknown key", remedy=remedy)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, if any is."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def _limit_text(finding: ErrorDetails, info: FieldInfo | None, bounds: tuple[float | None, float | None]) -> str:
    if finding["type"].startswith(("greater_than", "less_than")) and bounds != (None, None):
        return f"must be {_bounds_text(info, bounds)}"
    message = finding["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    message = {"an object": "a table", "a valid array": "a list", "an array": "a list"}.get(message, message)
    return f"must be {message}" if finding["msg"].startswith("Input should be ") else message


def _remedy(name: str, value: object, info: FieldInfo | None, bounds: tuple[float | None, float | None]) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        guess = _unit_guess(name, float(value), bounds)
        if guess:
            return guess
    if isinstance(value, str) and info is not None and info.annotation in (float, int):
        return "write a number without quotes and unit"
    if info is not None and info.description:
        return f"it is: {info.description}"
    return "correct it"


def _unit_guess(name: str, value: float, bounds: tuple[float | None, float | None]) -> str | None:
    """What the value would be in the right unit, if only that makes it fit."""
    low, high = bounds
    if high is None or value <= high:
        return None
    if name.endswith("_c") and _fits(value - KELVIN_AT_0_C, low, high):
        return f"looks like kelvin: write {value - KELVIN_AT_0_C:.1f}"
    candidates = [(f, u) for ends, f, u in LOOKALIKES if any(name == e or name.endswith(e) for e in ends)]
    if name.startswith("eff_"):
        candidates.append((100.0, "a percentage"))
    for factor, unit in candidates:
        if _fits(value / factor, low, high):
            return f"looks like {unit}: write {value / factor:g}"
    return None


def _fits(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _bounds(info: FieldInfo | None) -> tuple[float | None, float | None]:
    low: float | None = None
    high: float | None = None
    for rule in info.metadata if info is not None else ():
        match rule:
            case Ge(ge=limit) | Gt(gt=limit):
                low = float(typing.cast(float, limit))
            case Le(le=limit) | Lt(lt=limit):
                high = float(typing.cast(float, limit))
    return low, high


def _bounds_text(info: FieldInfo | None, bounds: tuple[float | None, float | None]) -> str:
    low, high = bounds
    open_low = info is not None and any(isinstance(rule, Gt) for rule in info.metadata)
    open_high = info is not None and any(isinstance(rule, Lt) for rule in info.metadata)
    parts = []
    if low is not None:
        parts.append(f"above {low:g}" if open_low else f"at least {low:g}")
    if high is not None:
        parts.append(f"below {high:g}" if open_high else f"at most {high:g}")
    return " and ".join(parts)


def _range_text(info: FieldInfo | None) -> str:
    bounds = _bounds(info)
    return f" ({_bounds_text(info, bounds)})" if bounds != (None, None) else ""


def _field_at(model: type[BaseModel], loc: Sequence[int | str]) -> FieldInfo | None:
    """The field a location speaks of; None where there is none, as for an unknown key."""
    names = [part for part in loc if isinstance(part, str)]
    if not names:
        return None
    last = max(i for i, part in enumerate(loc) if isinstance(part, str))
    owner = _model_at(model, loc[:last])
    return None if owner is None else _field(owner, names[-1])


def _field(model: type[BaseModel], key: str) -> FieldInfo | None:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            return field
    return None


def _model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel] | None:
    owner: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, int) or owner is None:
            continue
        field = _field(owner, part)
        owner = None if field is None else _model_in(field.annotation)
    return owner


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model inside `Model`, `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in typing.get_args(annotation))
    return next((one for one in found if one is not None), None)
