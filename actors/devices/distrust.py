"""Points that did not do what they were told: programs leave them alone, ever longer, until a wish is proven again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_S, DOUBLINGS = 900.0, 5  # pauses of 15 min to 8 h: each round of three tries wears what stores its settings
FORGOTTEN_S = 86_400.0


@dataclass(frozen=True, slots=True)
class _Spell:
    rounds: int
    until_s: float


class Distrust:
    """Per point, until when programs may not try again. A person may, at any time."""

    def __init__(self) -> None:
        self._spells: dict[str, _Spell] = {}

    def failed(self, name: str, at_s: float) -> None:
        """Three read-backs of a wish failed."""
        spell = self._spells.get(name)
        rounds = 0 if spell is None else spell.rounds
        self._spells[name] = _Spell(rounds + 1, at_s + FIRST_S * 2 ** min(rounds, DOUBLINGS))

    def proven(self, name: str) -> None:
        """A wish was read back."""
        self._spells.pop(name, None)

    def until_s(self, name: str, at_s: float) -> float | None:
        """When programs may try again; None: they may now."""
        spell = self._spells.get(name)
        return None if spell is None or at_s >= spell.until_s else spell.until_s

    def over(self, at_s: float) -> tuple[str, ...]:
        """Points whose pause has ended; those of long ago are forgotten."""
        for name in [n for n, s in self._spells.items() if at_s - s.until_s > FORGOTTEN_S]:
            del self._spells[name]
        return tuple(n for n, s in self._spells.items() if at_s >= s.until_s)
