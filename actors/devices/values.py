"""What people type for a point: `on`, `21.5`, `charge_from_grid to 90% at 50%`."""

from __future__ import annotations

import re

from actors.gate.decision import fit
from models.errors import ConfigError
from models.types.command import Value
from models.types.mode import Composite, InverterMode
from models.types.point import Modes, NumberRange, PointSpec, Words

_MODE = re.compile(
    r"(?P<name>[a-z_]+)(?:[ :]+(?:to +)?(?P<soc>\d+(?:\.\d+)?) *%)?(?:[ @]+(?:at +)?(?P<rate>\d+(?:\.\d+)?) *%)?"
)


def parse_value(spec: PointSpec, text: str) -> Value:
    """The value a person means.

    Raises
    ------
    ConfigError
        Not a value of this point, or outside of its envelope; names what is allowed.
    """
    value = _parse(spec, text.strip())
    fitted, note = fit(spec, value)
    if fitted is None or fitted != value:
        raise ConfigError(f"{spec.name} {text!r}: {note}", hint=f"allowed: {allowed(spec)}")
    return fitted


def _parse(spec: PointSpec, text: str) -> Value:
    if isinstance(spec.envelope, Words):
        return text
    if isinstance(spec.envelope, NumberRange):
        try:
            return float(text)
        except ValueError:
            raise ConfigError(f"{spec.name} {text!r} is not a number", hint=f"allowed: {allowed(spec)}") from None
    found = _MODE.fullmatch(text)
    if found is None or found["name"] not in {c.value for c in Composite}:
        raise ConfigError(f"{spec.name} {text!r} is not a mode", hint=f"allowed: {allowed(spec)}")
    soc, rate = found["soc"], found["rate"]
    return InverterMode(
        composite=Composite(found["name"]),
        stop_soc=None if soc is None else float(soc) / 100,
        rate=None if rate is None else float(rate) / 100,
    )


def allowed(spec: PointSpec) -> str:
    """The envelope in words."""
    envelope = spec.envelope
    if isinstance(envelope, Words):
        return ", ".join(envelope.allowed)
    if isinstance(envelope, NumberRange):
        return f"{envelope.low:g} .. {envelope.high:g} {spec.unit}".strip()
    assert isinstance(envelope, Modes)
    names = ", ".join(c.value for c in envelope.allowed)
    return f"{names}, as in 'charge_from_grid to 90% at 50%' ({envelope.soc_min:.0%} .. {envelope.soc_max:.0%})"
