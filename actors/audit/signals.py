"""What the devices and feeds reported, as the auditor heard it: ages, plausibility (28), price and state of charge."""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime, timedelta

from actors.audit.book import Book, Durations
from actors.audit.record import finite
from actors.messages import LinkState, OperatorLimits, PricesKnown, Wear
from models.types.house import House
from models.types.mode import Composite, InverterMode
from models.types.operator import ImportLimit
from models.types.point import PointSpec
from models.types.reading import InverterReading, MeterReading, RoomsReading

SAMPLES = 3  # in a row before a signal that was stale is believed again
SOC_EDGE = 0.02  # at the edges of the SOC window the gate may think either way
RUN_WRITES = 5
KNOWN_S = 1_800.0  # how long states of charge are remembered
METERS_KEPT = 64


class _Signal:
    __slots__ = ("broken_s", "in_a_row", "max_age_s", "seen_s")

    def __init__(self, max_age_s: float) -> None:
        self.max_age_s = max_age_s
        self.seen_s = -math.inf
        self.broken_s = -math.inf  # when it went stale last
        self.in_a_row = 0

    def see(self, at_s: float) -> None:
        if at_s - self.seen_s > self.max_age_s:
            self.broken_s = self.seen_s + self.max_age_s
            self.in_a_row = 0
        self.in_a_row += 1
        self.seen_s = at_s


class Signals:
    """Readings and prices as published; judges only that nothing impossible got this far."""

    def __init__(self, house: House, times: Durations, book: Book) -> None:
        self._house, self._book = house, book
        self._signals = {"inverter": _Signal(times.telemetry_max_age_s), "meter": _Signal(times.telemetry_max_age_s)}
        self._signals |= {f"room.{r.name}": _Signal(times.rooms_max_age_s) for r in house.rooms}
        self.inverter: InverterReading | None = None
        self.meter: MeterReading | None = None
        self.meter_s = -math.inf
        self._meters: deque[tuple[float, float]] = deque(maxlen=METERS_KEPT)  # (when, grid_kw)
        self._limits: dict[ImportLimit, float] = {}  # of the grid operator, and since when it is known
        self.rooms: RoomsReading | None = None
        self.rooms_s = -math.inf
        self.prices: PricesKnown | None = None
        self._wires: dict[tuple[str, ...], bool] = {}
        self.link_up_s: float | None = None  # None: a wire is down
        self._price_now: tuple[float, float | None] = (-math.inf, None)
        self._writes_left = 1_000
        self._few_s = -math.inf  # when the write budget was last too small for a run
        self._socs: deque[tuple[float, float]] = deque()

    # --- what is heard --------------------------------------------------------------------------------------------
    def see_inverter(self, reading: InverterReading, at_s: float) -> None:
        self.inverter = reading
        kw = [v for v in (reading.pv_kw, reading.battery_kw, reading.grid_kw, reading.load_kw) if v is not None]
        holds = all(finite(v) and abs(v) <= 120.0 for v in kw) and (reading.soc is None or 0.0 <= reading.soc <= 1.0)
        self._book.check(28, holds, at_s, "inverter", f"an impossible reading was published: {reading}")
        if reading.online and reading.soc is not None:
            self._signals["inverter"].see(at_s)
            self._socs.append((at_s, reading.soc))
            while self._socs[0][0] < at_s - KNOWN_S:
                self._socs.popleft()

    def see_meter(self, reading: MeterReading, at_s: float) -> None:
        self.meter, self.meter_s = reading, at_s
        self._meters.append((at_s, reading.grid_kw))
        holds = finite(reading.grid_kw) and abs(reading.grid_kw) <= 120.0
        self._book.check(28, holds, at_s, "meter", f"an impossible reading was published: {reading.grid_kw}")
        self._signals["meter"].see(at_s)

    def see_rooms(self, reading: RoomsReading, at_s: float) -> None:
        self.rooms, self.rooms_s = reading, at_s
        for name, room in reading.rooms.items():
            if room.air_c is not None:
                holds = finite(room.air_c) and -30.0 <= room.air_c <= 60.0
                self._book.check(28, holds, at_s, f"room.{name}", f"impossible air was published: {room.air_c}")
                if room.relay_on is not None and f"room.{name}" in self._signals:
                    self._signals[f"room.{name}"].see(at_s)

    def see_prices(self, prices: PricesKnown) -> None:
        self.prices = prices

    def see_wear(self, wear: Wear, at_s: float) -> None:
        self._writes_left = wear.left
        if wear.left < RUN_WRITES:
            self._few_s = at_s

    def see_link(self, link: LinkState, at_s: float) -> None:
        self._wires[link.carries] = link.up
        if not all(self._wires.values()):
            self.link_up_s = None
        elif self.link_up_s is None:
            self.link_up_s = at_s

    # --- what follows from it -------------------------------------------------------------------------------------
    def unfit(self, name: str, at_s: float) -> str:
        """Why nothing may depend on a signal, as it stood at `at_s`; empty if it may."""
        signal = self._signals.get(name)
        if signal is None:
            return "no such signal"
        age_s = at_s - signal.seen_s
        if age_s > signal.max_age_s + 1e-6:
            return "never heard" if signal.seen_s == -math.inf else f"{age_s:.0f} s old"
        if signal.in_a_row < SAMPLES and at_s > signal.broken_s + 1e-6:
            return f"only {signal.in_a_row} samples since it was stale"
        return ""

    def see_limits(self, said: OperatorLimits, at_s: float) -> None:
        """What the grid operator limits from now on."""
        self._limits = {limit: self._limits.get(limit, at_s) for limit in said.limits}

    def operator_kw(self, now: datetime, at_s: float, slack_s: float) -> float | None:
        """The power that the grid operator has allowed for so long that everybody knew it [kW]; None: no limit."""
        before = now - timedelta(seconds=slack_s)
        binding = [x.import_kw for x, since_s in self._limits.items() if x.start <= before and now < x.end
                   and since_s <= at_s - slack_s]  # fmt: skip
        return min(binding, default=None)

    def meters_since(self, since_s: float) -> list[tuple[float, float]]:
        """Readings (when, grid_kw) that whoever decided since then may have had: those since, and the one before."""
        found = [(at_s, kw) for at_s, kw in self._meters if at_s >= since_s]
        before = [(at_s, kw) for at_s, kw in self._meters if at_s < since_s]
        return before[-1:] + found

    def fresh(self, name: str, at_s: float) -> bool:
        """It was heard within its age limit."""
        return at_s - self._signals[name].seen_s <= self._signals[name].max_age_s

    def heard_since(self, spec: PointSpec, since_s: float) -> bool:
        """The device behind a point has said something in its present life, so that it may write."""
        heard_s = self._signals["inverter"].seen_s if spec.name.startswith("inverter.") else self.rooms_s
        return heard_s > since_s

    def sell_price(self, now_of_prices: float | None) -> float | None:
        """Money for one kWh fed in at that spot price; None: unknown."""
        return None if now_of_prices is None else now_of_prices - self._house.tariff.export_fee

    def socs(self, since_s: float) -> list[float]:
        """States of charge reported since then, and the last one before."""
        found = [soc for at_s, soc in self._socs if at_s >= since_s]
        before = [soc for at_s, soc in self._socs if at_s < since_s]
        return before[-1:] + found

    def hinders(self, mode: InverterMode, at_s: float, slack_s: float) -> bool:
        """True if price, state of charge or write budget may speak against this mode, now or a moment ago."""
        battery = self._house.battery
        if mode.composite in (Composite.DISCHARGE_TO_GRID, Composite.SELL_PRODUCTION):
            return True  # depends on the price of the very moment
        if self._writes_left < RUN_WRITES or at_s - self._few_s <= slack_s:
            return True
        socs = self.socs(at_s - slack_s)
        if not socs or battery is None:
            return True
        return mode.composite is Composite.CHARGE_FROM_GRID and max(socs) >= battery.soc_max - SOC_EDGE
