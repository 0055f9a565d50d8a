"""Evidence of one policy: what the twin's meters and rooms did, quarter hour by quarter hour."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from models.physics.tariff import export_price, import_price
from models.scorecard import EvidenceRow, Phase, RoomRow
from models.twins.house import HouseTwin
from models.twins.truth import TwinTruth
from models.types.forecast import PriceSeries

SLOT_H = 0.25
SAMPLES = 3  # looks per quarter hour, for the composite and the mean of room temperatures


class Recorder:
    """Turns the twin's truth into rows.

    Parameters
    ----------
    twin : HouseTwin
    prices : PriceSeries
        What the market really did, for money.
    """

    def __init__(self, twin: HouseTwin, prices: PriceSeries) -> None:
        self.rows: list[EvidenceRow] = []
        self._twin, self._prices = twin, prices
        self._zone = ZoneInfo(twin.house.site.timezone)
        self._before: TwinTruth = twin.truth()
        self._looks: list[TwinTruth] = []

    def look(self) -> None:
        """One of the looks within a slot."""
        self._looks.append(self._twin.truth())

    def close(self, phase: Phase) -> None:
        """The slot is over: write its row."""
        before, after = self._before, self._twin.truth()
        looks = self._looks or [after]
        start = before.at
        a, b = before.meters, after.meters
        grid_kw = (b.import_kwh - a.import_kwh - b.export_kwh + a.export_kwh) / SLOT_H
        battery_kw = (b.charge_kwh - a.charge_kwh - b.discharge_kwh + a.discharge_kwh) / SLOT_H
        prices = self._prices_at(start)
        self.rows.append(
            EvidenceRow(
                time_utc=start,
                phase=phase,
                price_import=prices[0],
                price_export=prices[1],
                pv_kw=(b.pv_used_kwh - a.pv_used_kwh) / SLOT_H,
                pv_available_kw=(b.pv_available_kwh - a.pv_available_kwh) / SLOT_H,
                load_kw=(b.load_kwh - a.load_kwh) / SLOT_H,
                heating_kw=(b.heating_kwh - a.heating_kwh) / SLOT_H,
                battery_kw=battery_kw,
                grid_kw=grid_kw,
                soc=math.nan if after.soc is None else after.soc,
                composite=Counter(t.composite.value for t in looks).most_common(1)[0][0],
                rooms=self._rooms(before, looks, after, start),
            )
        )
        self._before, self._looks = after, []

    def live(self, end: datetime, phase: Phase, progress: Callable[[float], None] = lambda _: None) -> None:
        """Let the twin live to `end` by itself, and write its rows."""
        first = self._twin.now
        while self._twin.now < end:
            for _ in range(SAMPLES):
                self._twin.advance(self._twin.now + SAMPLE)
                self.look()
            self.close(phase)
            progress((self._twin.now - first) / (end - first))

    def _rooms(
        self, before: TwinTruth, looks: list[TwinTruth], after: TwinTruth, start: datetime
    ) -> tuple[RoomRow, ...]:
        house = self._twin.house
        local = start.astimezone(self._zone)
        hour = local.hour + local.minute / 60
        rows = []
        for i, room in enumerate(house.rooms):
            share = (after.rooms[i].on_h - before.rooms[i].on_h) / SLOT_H
            rows.append(
                RoomRow(
                    name=room.name,
                    temperature_c=sum(t.rooms[i].air_c for t in looks) / len(looks),
                    slab_c=sum(t.rooms[i].slab_c for t in looks) / len(looks),
                    relay_share=min(max(share, 0.0), 1.0),
                    lower_c=room.lower_c(hour, house.day_starts_h, house.day_ends_h),
                    upper_c=room.max_c,
                )
            )
        return tuple(rows)

    def _prices_at(self, start: datetime) -> tuple[float, float]:
        spot, tariff = self._prices.at(start), self._twin.house.tariff
        buy = import_price(spot, start.astimezone(self._zone).hour, tariff)
        sell = export_price(spot, tariff)
        return math.nan if buy is None else buy, math.nan if sell is None else sell


SAMPLE = timedelta(hours=SLOT_H) / SAMPLES
