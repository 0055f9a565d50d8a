"""Decision cards: what a plan does, why that pays, what else it could do, and what would change its mind.

Every number is taken from two plans of the same problem, the one that runs and the best one without the choice in
question; nothing is canned. Plain data of the standard library: cards travel between processes and onto pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TermKind(StrEnum):
    """What an amount of money is for."""

    IMPORT = "import"
    EXPORT = "export"
    WEAR = "wear"
    POWER = "power"  # a price on the highest import
    LIMIT = "limit"  # connection, phase or feed-in limits bent
    RESERVE = "reserve"  # reserve or balancing charge missed
    COMFORT = "comfort"
    CALM = "calm"  # mode changes
    STORED = "stored"  # worth of the battery's charge at the end of the horizon
    HEAT = "heat"  # worth of the rooms' heat at the end of the horizon
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One reason: what the choice earns (or costs) against the alternative. All terms sum to the extra cost."""

    kind: TermKind
    eur: float  # > 0 speaks for the choice
    kwh: float | None = None  # imported or exported more (< 0: less) by the choice; None: not an amount of energy
    eur_per_kwh: float | None = None  # mean price of that energy
    start: datetime | None = None  # where most of it happens, aware UTC
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSpan:
    """A composite with its parameters over some slots."""

    start: datetime
    end: datetime
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatSpan:
    """Heating of a room that the alternative has elsewhere."""

    start: datetime
    end: datetime
    kwh: float  # > 0 more than in the plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The best plan without the choice: the same problem, solved with the choice forbidden from `start` to `end`."""

    start: datetime
    end: datetime
    extra_eur: float  # its objective less the plan's; below 0 only within the plan's gap, or where calm was kept
    modes: tuple[ModeSpan, ...]  # meanwhile (empty for rooms)
    heat: tuple[HeatSpan, ...]  # where the heating goes instead (rooms)
    method: str  # how it was found


class Quantity(StrEnum):
    """What may turn out otherwise than thought."""

    PRICE = "price"  # the market's, for import and export alike, while the choice runs
    SUN = "sun"  # PV over the day from its start on
    LOAD = "load"  # base load over the day from its start on


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """How far one quantity would have to move for the choice to be worth nothing, all else being as forecast."""

    quantity: Quantity
    unit: str  # EUR/kWh (mean over the window) or kWh (sum over it)
    start: datetime  # window in which it moves
    end: datetime
    now: float
    flips_at: float | None  # nearest such value found; None: none within the range
    searched: tuple[float, float]  # the range


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What happens while the choice runs."""

    import_kwh: float
    export_kwh: float
    import_eur_per_kwh: float  # mean price over its slots
    export_eur_per_kwh: float
    charged_kwh: float  # at the terminals
    discharged_kwh: float
    soc_start: float | None  # None: no battery
    soc_end: float | None
    heated_kwh: float  # electricity into the room (rooms), or into all rooms (inverter)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCard:
    """One choice of a plan."""

    problem_id: str
    point: str  # inverter.mode, or room.NAME.relay
    asked: datetime
    start: datetime
    end: datetime
    what: str  # the mode with its parameters; "heat", "off"
    running: bool  # it runs already when the plan begins
    facts: Facts
    terms: tuple[Term, ...]  # empty without an alternative
    alternative: Alternative | None
    no_alternative: str  # why there is none; empty otherwise
    flips: tuple[Flip, ...]
    flip_method: str
    more_losses_kwh: float | None  # of battery and inverter, against the alternative; their money is in the terms
    kept_eur: float  # what this plan gives for keeping to the one before it
    gap_eur: float  # what the plan may be away from the optimum
    took_s: float
