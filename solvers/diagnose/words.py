"""A diagnosis in words: one line for each conflict, for somebody who knows the house and nothing of solvers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from solvers.diagnose.diagnosis import (
    CONNECTION,
    EXPORT,
    FUSE,
    OPERATOR,
    PHASES,
    UNKNOWN_PRICES,
    Conflict,
    Diagnosis,
    Miss,
    Reason,
    Remedy,
)
from solvers.problem import PlanProblem, RoomProblem
from solvers.result import PlanResult
from solvers.tiers import base_target

_MOST_NAMES = 4


def lines(problem: PlanProblem, result: PlanResult, diagnosis: Diagnosis, *, zone: tzinfo = UTC) -> tuple[str, ...]:
    """One line for each conflict, and one for what was not looked into. What contradicts itself is a remark, not this.

    Parameters
    ----------
    problem, result
        What was diagnosed.
    diagnosis : Diagnosis
        As `diagnose` made it.
    zone : tzinfo
        In which times are told.
    """
    said = [line(problem, result, c, zone=zone) for c in diagnosis.conflicts]
    if diagnosis.untold:
        cheaper = " at less cost" if diagnosis.conflicts and not diagnosis.stopped else ""
        why = f": {diagnosis.stopped}" if diagnosis.stopped else ""
        more = " more" if diagnosis.conflicts else ""
        limits = "limit is" if diagnosis.untold == 1 else "limits are"
        looked = "was" if diagnosis.untold == 1 else "were"
        said.append(f"{diagnosis.untold}{more} {limits} bent{cheaper} and {looked} not looked into{why}.")
    return tuple(said)


def line(problem: PlanProblem, result: PlanResult, conflict: Conflict, *, zone: tzinfo = UTC) -> str:
    """One conflict in one line: what is bent, by how much, why, and what would help."""
    tell = _Teller(problem, result, zone)
    first = conflict.misses[0]
    match conflict.reason:
        case Reason.CONFLICT:
            body = tell.conflict(conflict)
        case Reason.PHYSICS:
            body = f"{tell.missed(first)}: {tell.why_physics(conflict, first)}"
        case Reason.PRICE:
            worth = "" if conflict.keeping_eur is None else f" by {conflict.keeping_eur:.2f} EUR"
            body = f"{tell.missed(first)}: it could be kept, but that would be dearer{worth}"
        case Reason.EXECUTION:
            body = f"{tell.missed(first)}: {tell.why_execution(first)}"
    return f"{body}{tell.remedies(conflict.remedies)}."


class _Teller:
    """Knows one plan's numbers."""

    def __init__(self, problem: PlanProblem, result: PlanResult, zone: tzinfo) -> None:
        self._p, self._r, self._zone = problem, result, zone
        self._rooms = {r.name: r for r in problem.rooms}

    # --- times ------------------------------------------------------------------------------------------------------
    def _instant(self, edge: int) -> datetime:
        return (self._p.start + timedelta(hours=self._p.dt_h * edge)).astimezone(self._zone)

    def _time(self, edge: int) -> str:
        """The instant where slot `edge` begins."""
        return f"{self._instant(edge):%a %H:%M}"

    def _span(self, miss: Miss) -> str:
        begin, end = self._instant(miss.first_slot), self._instant(miss.last_slot + 1)
        same = begin.date() == end.date()
        return f"{begin:%a %H:%M} to {end:{'%H:%M' if same else '%a %H:%M'}}"

    # --- limits -----------------------------------------------------------------------------------------------------
    def _limit(self, name: str, slot: int) -> str:
        """A limit with its value at one slot."""
        p, b = self._p, self._p.battery
        if name.startswith("room."):
            return self._of_room(name, slot)
        if name.startswith("battery.") and b is not None:
            percent = {
                "battery.reserve": base_target(p), "battery.full_charge": b.soc_max,
                "battery.soc_final": b.soc_final or 0.0,
            }[name]  # fmt: skip
            what = {
                "battery.reserve": "the reserve" if b.reserve_soc else "the lowest SOC",
                "battery.full_charge": "the full charge",
                "battery.soc_final": "the final SOC",
            }[name]
            due = "" if name == "battery.reserve" else f" due at {self._time(slot + 1)}"
            return f"{what} of {percent:.0%}{due}".replace("%", " %")
        return {
            CONNECTION: f"the connection of {p.import_limit_kw:.1f} kW",
            OPERATOR: f"the operator's limit of {p.import_allowed_kw(self._dimmed(slot)):.1f} kW",
            PHASES: f"the fuse of {p.phase_limit_kw or 0.0:.1f} kW per phase",
            EXPORT: f"the export limit of {p.export_limit_kw:.1f} kW"
            + ("" if p.pv_curtailable else " with no sun curtailed"),
            UNKNOWN_PRICES: "the rule to buy nothing at prices not yet known",
        }[name]

    def _dimmed(self, slot: int) -> int:
        """Where the operator's limit was lowest so far: a room is coldest when it is over, not while it holds."""
        p = self._p
        if p.import_allowed_kw(slot) >= p.import_limit_kw - 1e-9:  # over, or still to come
            return min(range(slot + 1), key=p.import_allowed_kw)
        return slot

    def _of_room(self, name: str, slot: int) -> str:
        _, room, side = _room_of(name)
        r = self._rooms[room]
        if side == "held":
            return f"{room}'s heater held at {r.forced_duty:.0%}".replace("%", " %")
        return f"{room} {'at least' if side == 'below' else 'at most'} {self._edge_c(r, side, slot):.1f} degC"

    @staticmethod
    def _edge_c(room: RoomProblem, side: str, slot: int) -> float:
        return room.lower_c[slot] if side == "below" else max(room.lower_c[slot], room.upper_c[slot])

    def _all_of(self, names: Sequence[str], slot: int) -> str:
        told = [self._limit(n, slot) for n in names]
        rooms = [n for n in names if n.startswith("room.")]
        if len(rooms) > _MOST_NAMES:
            told = [self._limit(n, slot) for n in rooms[: _MOST_NAMES - 1]]
            told.append(f"{len(rooms) - len(told)} more rooms")
            told += [self._limit(n, slot) for n in names if n not in rooms]
        return _and(told)

    # --- sentences --------------------------------------------------------------------------------------------------
    def _amount(self, miss: Miss) -> str:
        if miss.unit == "soc":
            return f"{100.0 * miss.amount:.1f} % short"
        how = {"above": "too warm", "below": "too cold"}.get(_room_of(miss.limit)[2], "above it")
        return f"{miss.amount:.2f} {miss.unit} {how}"

    def missed(self, miss: Miss) -> str:
        """What is bent, when, and how far."""
        limit = self._limit(miss.limit, miss.worst_slot)
        return f"{self._span(miss)}: {limit} is not kept ({self._amount(miss)} at {self._time(miss.worst_slot + 1)})"

    def conflict(self, conflict: Conflict) -> str:
        """Who cannot be kept together, and what there is to share."""
        worst = conflict.misses[0]
        all_of = "both" if len(conflict.limits) == 2 else "all"
        told = f"{self._span(worst)}: {self._all_of(conflict.limits, worst.worst_slot)} cannot {all_of} be kept"
        amounts = [f"{_short(m.limit)} {self._amount(m)}" for m in conflict.misses[:_MOST_NAMES]]
        if len(conflict.misses) > _MOST_NAMES:
            amounts.append(f"{len(conflict.misses) - _MOST_NAMES} more")
        facts = [*self._start(conflict.limits), *self._left(conflict.limits, worst)]
        return f"{told}: {', '.join(amounts)}{''.join(f'; {f}' for f in facts)}"

    def _start(self, limits: Sequence[str]) -> list[str]:
        b = self._p.battery
        if b is None or not any(n.startswith("battery.") for n in limits):
            return []
        return [f"the battery starts at {100.0 * b.soc:.0f} % and charges at {b.charge_kw:.1f} kW at most"]

    def _left(self, limits: Sequence[str], miss: Miss) -> list[str]:
        """What a limit on power leaves beside the load, where that is least."""
        p = self._p
        if not {CONNECTION, OPERATOR} & set(limits):
            return []
        slots = range(miss.first_slot, miss.last_slot + 1)
        t = min(slots, key=lambda t: p.import_allowed_kw(t) - self._net_kw(t))
        left, load = p.import_allowed_kw(t) - self._net_kw(t), self._net_kw(t)
        if load < 0.0:
            return [f"the sun gives {-load:.1f} kW more than the load takes"]
        if left <= 0.0:
            return [f"the load without heating, {load:.1f} kW, leaves nothing of {p.import_allowed_kw(t):.1f} kW"]
        return [f"beside the load of {load:.1f} kW there are {left:.1f} kW left"]

    def _net_kw(self, t: int) -> float:
        """Load without heating, less the sun that the inverter can give."""
        return self._p.load_kw[t] - min(self._p.pv_kw[t], self._p.ac_limit_kw)

    def why_physics(self, conflict: Conflict, miss: Miss) -> str:
        """What the house itself cannot do, and for how long."""
        kept = conflict.kept_from_slot
        until = "" if kept is None or kept > miss.last_slot else f" before {self._time(kept)}"
        return f"no plan could avoid it{until}; {self._unable(conflict, miss)}"

    def _unable(self, conflict: Conflict, miss: Miss) -> str:
        """What there is to keep a limit with."""
        p, b = self._p, self._p.battery
        by = "" if conflict.kept_from_slot is None else f", at the earliest from {self._time(conflict.kept_from_slot)}"
        if miss.limit.startswith("battery.") and b is not None:
            asked = {"battery.soc_final": b.soc_final or 0.0, "battery.reserve": base_target(p)}.get(miss.limit, 0.0)
            if asked > b.soc_max:
                return f"the battery may hold {100.0 * b.soc_max:.0f} % at most"
            can = f"it starts at {100.0 * b.soc:.0f} % and charges at {b.charge_kw:.1f} kW at most"
            return f"{can}{by}"
        if miss.limit.startswith("room."):
            _, name, side = _room_of(miss.limit)
            r = self._rooms[name]
            if side == "below":
                return f"{name} starts at {r.air_c:.1f} degC with a heater of {r.heater_kw:.1f} kW{by}"
            return f"{name} starts at {r.air_c:.1f} degC, warmed by its slab, sun and neighbours{by}"
        if miss.limit == EXPORT:
            return f"the sun gives up to {max(p.pv_kw):.1f} kW and cannot be curtailed"
        t = miss.worst_slot
        soc = f", with the battery at {100.0 * self._r.soc[t]:.0f} %" if b is not None else ""
        return f"the load without heating is {p.load_kw[t]:.1f} kW{soc}"

    def why_execution(self, miss: Miss) -> str:
        """What the plan's own way of doing it costs."""
        forced = self._p.forced_modes
        if len(forced) > miss.first_slot:
            held = forced[0].composite.value.replace("_", " ")
            return f"the inverter is held in {held} until {self._time(len(forced))}"
        if self._r.maker in ("rules", "shifted", "smart_rules"):
            return f"a plan could keep it; this one was made by {self._r.maker}, without a solver"
        if self._p.free:
            return "only charging and discharging at once, or feeding in and buying at once, would keep it"
        return "powers chosen freely would keep it; what the inverter runs (modes, whole percent, few changes) does not"

    def remedies(self, remedies: Sequence[Remedy]) -> str:
        """What would help, each alone."""
        if not remedies:
            return ""
        told = [self._remedy(r) for r in remedies[:_MOST_NAMES]]
        return f"; {'one of these' if len(told) > 1 else 'this'} would do: {', or '.join(told)}"

    def _remedy(self, remedy: Remedy) -> str:
        name = _short(remedy.limit)
        if remedy.by is None:
            if remedy.limit == UNKNOWN_PRICES:
                return "buying at prices not yet known"
            return f"{_room_of(remedy.limit)[1]} not held"
        side = _room_of(remedy.limit)[2]
        if side:
            return f"{name} {_up(remedy.by)} K {'lower' if side == 'below' else 'higher'}"
        if remedy.unit == "soc":
            return f"{name} lower by {_up(100.0 * remedy.by)} %"
        return f"{name} {_up(remedy.by)} kW higher"


def _room_of(limit: str) -> tuple[str, str, str]:
    """("room", name, side) of a room's limit; empty name and side for others. Names may hold dots."""
    if not limit.startswith("room."):
        return "", "", ""
    name, _, side = limit.removeprefix("room.").rpartition(".")
    return "room", name, side


def _up(value: float) -> str:
    """Rounded up: what is told must be enough."""
    return f"{math.ceil(10.0 * value - 1e-6) / 10.0:.1f}"


def _short(limit: str) -> str:
    names = {
        CONNECTION: "the connection",
        FUSE: "the connection and its phases together",
        OPERATOR: "the operator's limit",
        PHASES: "the fuse of each phase",
        EXPORT: "the export limit",
        "battery.reserve": "the reserve",
        "battery.full_charge": "the full charge",
        "battery.soc_final": "the final SOC",
    }
    return names.get(limit) or _room_of(limit)[1]


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
