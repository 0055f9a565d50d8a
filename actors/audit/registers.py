"""Invariants 13, 14, 16, 21, 22 and 29 on what is stored in the inverter: registers as read and as written since."""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import dataclass

from actors.audit.book import Book, Durations
from actors.audit.signals import Signals
from actors.messages import Proof, WireWrite
from models.types.command import Level
from models.types.house import House

MODE, EXPORT = "inverter.mode", "inverter.export_limit_kw"
GAP_S = 0.85
DAY_S = 86_400.0
AHEAD_MIN = 122  # two hours, rounded up to whole minutes at both ends
SOC_EDGE = 0.005 - 1e-9
RESERVE = 2

NAMES = (
    *("BattFirstACChrg", "BattFirstSOC", "BattFirstPwrRate", "GridFirstSOC", "GridFirstPwrRate"),
    *("ExportLimitFlag", "ExportLimitValue"),
    *(f"{g}Slot{i}{part}" for g in ("Batt", "Grid") for i in (1, 2, 3) for part in ("Start", "Stop", "En")),
)

Image = dict[str, object]  # register -> value; slots as (start, stop, enabled)


@dataclass(slots=True)
class _Sent:
    register: str
    value: object
    at_s: float
    confirmed_s: float | None = None


class StoredSettings:
    """Replays every counted write over the registers as last read.

    Parameters
    ----------
    writes_per_day, slot_writes_per_day : int
        Budgets of stop SOC, rate and flags, and of time slots, in any 24 h.
    """

    def __init__(
        self,
        house: House,
        times: Durations,
        signals: Signals,
        book: Book,
        *,
        writes_per_day: int,
        slot_writes_per_day: int,
    ) -> None:
        self._house, self._times, self._signals, self._book = house, times, signals, book
        self._budgets = {False: writes_per_day, True: slot_writes_per_day}
        self._spent: dict[bool, deque[float]] = {False: deque(), True: deque()}
        self._read: Image = {}
        self._read_s = -math.inf
        self._sent: deque[_Sent] = deque(maxlen=64)
        self._last_s: dict[str, float] = {}  # last write by point
        self._write_s = -math.inf
        self._mode = ""
        self._ours: Image = {}  # each slot as it was switched on last
        self.slot_on_s = -math.inf  # when a slot was switched on last

    # --- what is heard --------------------------------------------------------------------------------------------
    def telemetry(self, payload: bytes, received_s: float) -> None:
        """The registers as read; a message in which one of them is missing or impossible tells nothing."""
        body = _object(payload)
        if body is not None and all(_whole(body.get(name)) for name in NAMES):
            self._read, self._read_s = _image(body), received_s

    def result(self, payload: bytes, at_s: float) -> None:
        """An answer of the stick: the command in flight has arrived."""
        body = _object(payload)
        if body is not None and body.get("success") is True and self._sent:
            self._sent[-1].confirmed_s = at_s

    def _holds(self, register: str, value: object, at_s: float) -> bool:
        """The register has this value already, as far as can be known.

        The last write counts until telemetry has come after it. Where that differs from a write that was answered,
        nobody knows for a while: the read-back may be late, or the answer a lie.
        """
        read = self._read.get(register)
        sent = next((s for s in reversed(self._sent) if s.register == register), None)
        if sent is None or read == sent.value:
            return read == value
        if sent.at_s >= self._read_s:
            return sent.value == value
        waited_s = math.inf if sent.confirmed_s is None else at_s - sent.confirmed_s
        return waited_s > self._times.settle_s + self._times.telemetry_s and read == value

    def answering(self, at_s: float) -> bool:
        """The stick answers: a command that it owes an answer for too long means that the link is dead."""
        return not self._sent or self._sent[-1].confirmed_s is not None or at_s - self._sent[-1].at_s < 1.0

    def obeying(self) -> bool:
        """The feed-in limit that was written last is what is read: an inverter that ignores it is as good as dead."""
        sent = next((s for s in reversed(self._sent) if s.register.startswith("export.")), None)
        return sent is None or self._read.get(sent.register) == sent.value

    def restarted(self) -> None:
        """The device began anew: it knows no answers that its former life got."""
        for sent in self._sent:
            sent.confirmed_s = None

    def image(self, at_s: float) -> Image:
        """Registers as read, with what was written since and may have arrived."""
        image = dict(self._read)
        for sent in self._sent:
            heard_s = sent.confirmed_s if sent.confirmed_s is not None else sent.at_s
            waited_s = self._times.settle_s if sent.confirmed_s is not None else self._times.answer_s
            if heard_s >= self._read_s or at_s - heard_s < min(waited_s, self._times.answer_s):
                image[sent.register] = sent.value
        return image

    def own_slot(self, at_s: float) -> bool:
        """What stands is our own slot: one is on in the registers, and each that is on is as it was written."""
        on = {register: value for register, value in self.image(at_s).items() if _on(value)}
        return bool(on) and all(self._ours.get(register) == value for register, value in on.items())

    # --- what is written ------------------------------------------------------------------------------------------
    def write(self, write: WireWrite) -> None:
        """Judge one counted write."""
        at_s, point, book = write.at_s, write.point, self._book
        found = _parsed(write.detail)
        book.check(28, found is not None, at_s, point, f"no known command: {write.detail[:120]}")
        if found is None:
            return
        register, value = found
        slot = ".slot" in register
        gap_s = at_s - self._write_s
        book.check(29, gap_s >= GAP_S - 1e-6, at_s, point, f"{register} {gap_s:.2f} s after another write")
        self._write_s = self._last_s[point] = at_s
        image = self.image(at_s)
        equal = self._holds(register, value, at_s)
        exempt = write.level <= Level.SAFETY_TRIP
        book.check(29, exempt or not equal, at_s, point, f"{register} is {value} already and is written again")
        if not exempt:
            self._spend(slot, point, register, at_s)
        self._judge_entry(write, image)
        image[register] = value
        self._sent.append(_Sent(register, value, at_s))
        self._judge_together(write, register, value, image)

    def _spend(self, slot: bool, point: str, register: str, at_s: float) -> None:
        spent = self._spent[slot]
        while spent and at_s - spent[0] > DAY_S:
            spent.popleft()
        spent.append(at_s)
        budget = self._budgets[slot]
        self._book.check(29, len(spent) <= budget, at_s, point, f"{register}: write {len(spent)} of {budget} in 24 h")

    def _judge_together(self, write: WireWrite, register: str, value: object, image: Image) -> None:
        at_s, point, book = write.at_s, write.point, self._book
        battery = any(_on(image.get(f"batteryfirst.slot{i}")) for i in (1, 2, 3))
        grid = any(_on(image.get(f"gridfirst.slot{i}")) for i in (1, 2, 3))
        made = _on(value) or (register == "ac_charge" and value == 1)  # switching off never makes a pair
        both = made and image.get("ac_charge") == 1 and grid
        book.check(21, not both, at_s, point, "charging from the grid and selling stand in the registers together")
        book.check(22, not (made and battery and grid), at_s, point, "battery first and grid first are both on")
        if _on(value):
            assert isinstance(value, tuple)
            self.slot_on_s, self._ours[register] = at_s, value
            ahead = value[1] - value[0]
            book.check(13, 0 < ahead <= AHEAD_MIN, at_s, point, f"a slot of {ahead} minutes is stored")

    def _judge_entry(self, write: WireWrite, image: Image) -> None:
        """A charge or a discharge is not begun where the battery cannot take or give."""
        battery, entered = self._house.battery, write.value != self._mode
        if write.point != MODE:
            return
        self._mode = write.value
        if battery is None or not entered or write.level <= Level.GRID_OPERATOR or write.level is Level.DEFAULT:
            return
        at_s = write.at_s
        # between decision and first register another mode change may have had to end, with its three tries
        socs = self._signals.socs(at_s - 4 * self._times.answer_s)
        if write.value.startswith("charge_from_grid"):
            holds = bool(socs) and min(socs) < battery.soc_max - SOC_EDGE
            self._book.check(16, holds, at_s, MODE, f"charging begins at a SOC of {socs}")
        elif write.value.startswith("discharge_to_grid"):
            holds = bool(socs) and max(socs) > battery.soc_min + SOC_EDGE
            self._book.check(16, holds, at_s, MODE, f"discharging begins at a SOC of {socs}")

    # --- what is said of it ---------------------------------------------------------------------------------------
    def proof(self, proof: Proof, at_s: float) -> None:
        """`applied` stands on registers that were read after the last write and make the value."""
        if proof.stage != "applied" or proof.point not in (MODE, EXPORT):
            return
        read, last_s = self._read, self._last_s.get(proof.point, -math.inf)
        book = self._book
        book.check(14, self._read_s >= last_s, at_s, proof.point, "applied without a read-back after the last write")
        text = proof.value
        if proof.point == EXPORT:
            book.check(14, self.export_is(text), at_s, EXPORT, f"applied {text} kW, the registers differ")
            return
        battery = any(_on(read.get(f"batteryfirst.slot{i}")) for i in (1, 2, 3))
        grid = any(_on(read.get(f"gridfirst.slot{i}")) for i in (1, 2, 3))
        ac = read.get("ac_charge") == 1
        holds = {
            "regular": not battery and not grid and not ac,
            "charge_from_grid": battery and ac and not grid,
            "hold": battery and not ac and not grid,
            "discharge_to_grid": grid and not battery and not ac,
            "sell_production": grid and not battery and not ac,
        }.get(text.split(" ")[0], False)
        book.check(14, holds, at_s, MODE, f"applied {text!r}, the registers differ: {read}")

    def spent_up(self) -> bool:
        """The day's budget of stop SOC, rate and flags is used up, but for the reserve of the way back."""
        return len(self._spent[False]) >= self._budgets[False] - RESERVE

    def export_is(self, text: str) -> bool:
        """The registers as read limit the feed-in to this."""
        rated = self._house.inverter.ac_limit_kw
        limit = self._read.get("export.value")
        limited = self._read.get("export.flag") == 1 and isinstance(limit, float)
        shown_kw = limit / 100.0 * rated if limited and isinstance(limit, float) else rated
        wanted_kw = min(float(text), rated)
        return abs(shown_kw - wanted_kw) <= 0.001 * rated + 0.011


def _on(value: object) -> bool:
    return isinstance(value, tuple) and bool(value[2])


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is no number")


def _whole(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 65_536


def _object(payload: bytes) -> dict[str, object] | None:
    try:
        body = json.loads(payload, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _image(body: dict[str, object]) -> Image:
    """Registers of one telemetry message. Slots are minutes of the inverter's day."""
    image: Image = {
        "ac_charge": body.get("BattFirstACChrg"),
        "batteryfirst.soc": body.get("BattFirstSOC"),
        "batteryfirst.rate": body.get("BattFirstPwrRate"),
        "gridfirst.soc": body.get("GridFirstSOC"),
        "gridfirst.rate": body.get("GridFirstPwrRate"),
        "export.flag": body.get("ExportLimitFlag"),
    }
    limit = body.get("ExportLimitValue")
    image["export.value"] = float(limit) if isinstance(limit, (int, float)) else None
    for prefix, group in (("Batt", "batteryfirst"), ("Grid", "gridfirst")):
        for i in (1, 2, 3):
            start, stop, on = (body.get(f"{prefix}Slot{i}{part}") for part in ("Start", "Stop", "En"))
            if isinstance(start, int) and isinstance(stop, int):
                image[f"{group}.slot{i}"] = (start // 256 * 60 + start % 256, stop // 256 * 60 + stop % 256, on == 1)
    return image


def _parsed(detail: str) -> tuple[str, object] | None:
    """(register, value) of a command as the wire log spells it; None for what is no known command."""
    command, _, text = detail.partition(" ")
    body = _object(text.encode())
    if body is None:
        return None
    group, _, action = command.partition("/")
    value = body.get("value")
    if action == "set/timeslot" and group in ("batteryfirst", "gridfirst") and body.get("slot") in (1, 2, 3):
        start, stop = _minute(body.get("start")), _minute(body.get("stop"))
        if start is None or stop is None or not isinstance(body.get("enabled"), bool):
            return None
        return f"{group}.slot{body['slot']}", (start, stop, body["enabled"])
    if action in ("set/stopsoc", "set/powerrate") and group in ("batteryfirst", "gridfirst"):
        fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100
        return (f"{group}.{'soc' if action == 'set/stopsoc' else 'rate'}", value) if fits else None
    if command == "batteryfirst/set/acchargeenabled":
        return ("ac_charge", value) if value in (0, 1) and not isinstance(value, bool) else None
    if command == "export/enable":
        return "export.flag", 1
    if command == "modbus/set" and body.get("id") == 123 and isinstance(value, int) and 0 <= value <= 1000:
        return "export.value", value / 10
    return None


def _minute(text: object) -> int | None:
    if not isinstance(text, str) or len(text) != 5 or text[2] != ":" or not (text[:2] + text[3:]).isdigit():
        return None
    hour, minute = int(text[:2]), int(text[3:])
    return hour * 60 + minute if hour < 24 and minute < 60 else None
