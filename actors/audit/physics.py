"""Invariants 13, 16, 17, 19 and 20 on what really happened in the house."""

from __future__ import annotations

import math
from datetime import datetime

from actors.audit.authority import Authority
from actors.audit.book import Book, Durations
from actors.audit.registers import StoredSettings
from actors.audit.signals import Signals
from models.twins.truth import TwinTruth
from models.types.command import Level
from models.types.house import House
from models.types.mode import Composite

EXPORT = "inverter.export_limit_kw"
SOC_TOLERANCE = 0.005
KW_TOLERANCE = 0.1
MODE = "inverter.mode"
HAND_S = 300.0  # until what somebody else set must have been noticed
LOCAL_RULES_S = 30.0  # how often the fast rules look at the price
SLOT_LASTS_S = 7_200.0 + 180.0  # of what is stored: two hours, rounded up, and the mode's own lag


class Physics:
    """Looks at the truth now and then."""

    def __init__(
        self, house: House, times: Durations, authority: Authority, signals: Signals, stored: StoredSettings, book: Book
    ) -> None:
        self._house, self._authority, self._signals, self._stored, self._book = house, authority, signals, stored, book
        tick_s = max(times.gate_tick_s, times.device_tick_s, times.telemetry_s)
        self._permit_s = times.permit_s
        self._reaction_s = max(LOCAL_RULES_S, tick_s) + 3 * tick_s + 2 * times.answer_s
        self._costs_s: float | None = None  # feeding in costs money, and all could act on it, since
        self._export_s = -math.inf
        self._strange_s: float | None = None  # since when a mode stands that nobody is known to have set
        self._was: TwinTruth | None = None
        self._looked_s = -math.inf

    def look(self, truth: TwinTruth, now: datetime, at_s: float) -> None:
        """The house at one instant."""
        self._battery(truth, at_s)
        self._export(truth, now, at_s)
        lasted_s = at_s - self._stored.slot_on_s
        holds = truth.composite is Composite.REGULAR or lasted_s <= SLOT_LASTS_S
        if holds or self._authority.by_hand(MODE):
            self._strange_s = None
        elif self._strange_s is None:
            self._strange_s = at_s  # a slot of somebody else, perhaps: its device says so after the next telemetry
        excused_s = 0.0 if self._stored.own_slot(at_s) else HAND_S
        holds = self._strange_s is None or at_s - self._strange_s < excused_s
        self._book.check(13, holds, at_s, "inverter.mode", f"{truth.composite.value}, last slot {lasted_s:.0f} s ago")
        self._was, self._looked_s = truth, at_s

    def _battery(self, truth: TwinTruth, at_s: float) -> None:
        battery, soc, kw, book = self._house.battery, truth.soc, truth.battery_kw, self._book
        if battery is None or soc is None:
            book.check(17, abs(kw) < 1e-9, at_s, "", f"{kw:.2f} kW without a battery")
            return
        low, high = battery.soc_min - SOC_TOLERANCE, battery.soc_max + SOC_TOLERANCE
        began = soc if self._was is None or self._was.soc is None else self._was.soc
        holds = (low <= soc or soc >= began - 1e-9) and (soc <= high or soc <= began + 1e-9)
        book.check(16, holds, at_s, "", f"SOC {soc:.3f}, window {battery.soc_min} .. {battery.soc_max}")
        taper = 1.0
        knee, before = battery.taper_above_soc, soc - 0.02  # the limit was taken before the step that led here
        if before > knee and knee < 1.0:
            taper -= (1.0 - battery.taper_end_share) * (before - knee) / (1.0 - knee)
        limits = (-battery.discharge_kw - 0.01, battery.charge_kw * taper + 0.01)
        text = f"battery at {kw:.2f} kW, SOC {soc:.2f}, limits {limits}"
        book.check(17, limits[0] <= kw <= limits[1], at_s, "", text)

    def _export(self, truth: TwinTruth, now: datetime, at_s: float) -> None:
        export_kw, contract = -truth.grid_kw, self._house.connection.export_contract_kw
        text = f"{export_kw:.2f} kW exported, contract {contract:.1f} kW"
        self._book.check(19, export_kw <= contract + KW_TOLERANCE, at_s, "", text)
        prices = self._signals.prices
        price = self._signals.sell_price(None if prices is None else prices.prices.at(now))
        able = (
            at_s < self._authority.permit_until_s
            and self._signals.link_up_s is not None
            and self._stored.answering(at_s)
            and self._stored.obeying()
            and self._signals.fresh("inverter", at_s)
            and self._signals.inverter is not None
            and not self._signals.inverter.fault
            and not self._held_by_people(at_s)
        )
        if price is None or price >= 0 or not able:
            self._costs_s = None
            return
        if self._costs_s is None:
            self._costs_s = at_s
        if at_s - max(self._costs_s, self._authority.begun_s) > self._reaction_s:
            text = f"{export_kw:.2f} kW exported at {price:.3f} EUR/kWh"
            self._book.check(20, export_kw <= KW_TOLERANCE, at_s, "", text)

    def _held_by_people(self, at_s: float) -> bool:
        """A request above the local rules says what the export limit shall be: that is its will."""
        asks = self._authority.asks.get(EXPORT)
        if asks is None:
            return False
        return any(a.request.level <= Level.USER and a.end_s() > at_s - self._reaction_s for a in asks.living.values())
