"""What the house looks like now, for people: readings, plan, alarms, and what it cost so far against plain rules."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from actors.messages import Alarm, LinkState, OperatorLimits, PlanFailed, PlanReady, PricesKnown, Proof, Tick
from actors.runtime import Abandoned, Behaviour, Failed, Restarted, Stopped
from models.physics.tariff import export_price, import_price
from models.types.forecast import PriceSeries
from models.types.house import House
from models.types.operator import ImportLimit, strictest
from models.types.reading import InverterReading, MeterReading, RoomsReading
from models.types.slots import floor_slot
from models.types.twin_wire import TwinOutput
from solvers.result import BentRule

SLOT_H = 0.25


@dataclass(slots=True)
class _Account:
    """Money of one meter, on quarter-hour means as the market settles it."""

    eur: float = 0.0
    at_start: tuple[float, float] | None = None  # import, export [kWh] when the running slot began

    def settle(self, now_kwh: tuple[float, float], buy: float, sell: float) -> None:
        """The slot is over."""
        if self.at_start is not None:
            net_kwh = (now_kwh[0] - self.at_start[0]) - (now_kwh[1] - self.at_start[1])
            self.eur += net_kwh * (buy if net_kwh > 0 else sell)
        self.at_start = now_kwh


class Status(Behaviour):
    """Listens and remembers; says nothing.

    Handles  readings, prices, plans, alarms, proofs, the grid operator's limits, the twin's meters
    Sends    nothing
    Fails    on bugs only
    """

    def __init__(self, house: House, *, inverter_age_s: float = math.inf, rooms_age_s: float = math.inf) -> None:
        self._ages_s = (inverter_age_s, rooms_age_s)
        self._house, self._zone = house, ZoneInfo(house.site.timezone)
        self._inverter: InverterReading | None = None
        self._rooms: RoomsReading | None = None
        self._prices: PriceSeries | None = None
        self._plan: PlanReady | None = None
        self._trouble = ""
        self._links: dict[tuple[str, ...], LinkState] = {}  # per wire
        self._limits: tuple[ImportLimit, ...] = ()  # as gate and planner heard them, each acts to its own end
        self._alarms: dict[str, Alarm] = {}
        self._said_by: dict[str, str | None] = {}
        self._proofs: deque[Proof] = deque(maxlen=20)
        self._restarts: deque[str] = deque(maxlen=20)
        self._accounts = {"pems": _Account(), "rules": _Account()}
        self._slot: datetime | None = None
        self._latest: TwinOutput | None = None
        self._plans = 0
        self._plan_s: float | None = None

    def on_start(self) -> None:
        ctx = self.ctx
        ctx.subscribe(InverterReading, coalesce=lambda _: "inverter")
        ctx.subscribe(RoomsReading, coalesce=lambda _: "rooms")
        ctx.subscribe(PricesKnown, coalesce=lambda _: "prices")
        ctx.subscribe(TwinOutput, coalesce=lambda _: "meters")
        ctx.subscribe(MeterReading, coalesce=lambda _: "meter")
        ctx.subscribe(PlanReady, PlanFailed, LinkState, Alarm, Proof, OperatorLimits)
        ctx.subscribe(Failed, Stopped, Abandoned, Restarted)
        ctx.every(1.0, Tick(name="slot"), name="slot")

    def handle(self, message: object) -> None:
        match message:
            case InverterReading():
                self._inverter = message
            case RoomsReading():
                self._rooms = message
            case PricesKnown(prices=prices):
                self._prices = prices
            case TwinOutput():
                self._latest = message
                if message.import_kwh is not None and message.export_kwh is not None:
                    self._account(message.until, _meters(message))
            case MeterReading(measured_at=at, import_kwh=float(imported), export_kwh=float(exported)):
                if self._latest is None:  # no twin in memory: the house's own meter, and nobody knows that of the rules
                    self._account(at, {"pems": (imported, exported)})
            case MeterReading():
                pass
            case PlanReady():
                self._plan, self._trouble, self._plan_s = message, "", message.took_s
                self._plans += 1
            case PlanFailed(reason=reason):
                self._trouble = reason
            case LinkState():
                self._links[message.carries] = message
            case OperatorLimits(limits=limits):
                self._limits = limits
            case Alarm(name=name, active=active):
                if active:
                    self._alarms[name] = message
                    self._said_by[name] = self.ctx.sender
                else:
                    self._alarms.pop(name, None)
            case Proof():
                self._proofs.append(message)
            case Failed(path=path) | Stopped(path=path) | Abandoned(path=path):
                for name in [n for n, by in self._said_by.items() if by == path]:  # its next life says what still holds
                    self._alarms.pop(name, None)
                    del self._said_by[name]
            case Restarted(path=path):
                self._restarts.append(path)
            case Tick():
                pass
            case _:
                super().handle(message)

    def _account(self, at: datetime, meters: Mapping[str, tuple[float, float]]) -> None:
        """Settle meters (import, export [kWh]) when a quarter hour is over."""
        slot = floor_slot(at)
        if slot == self._slot:
            return
        over, self._slot = self._slot, slot
        buy, sell = self._prices_at(slot - timedelta(hours=SLOT_H) if over is None else over)
        for name, kwh in meters.items():
            account = self._accounts[name]
            if buy is None or sell is None:
                account.at_start = kwh  # unknown price: the slot is not priced for either
            else:
                account.settle(kwh, buy, sell)

    def _prices_at(self, at: datetime) -> tuple[float | None, float | None]:
        spot = None if self._prices is None else self._prices.at(at)
        tariff = self._house.tariff
        return import_price(spot, at.astimezone(self._zone).hour, tariff), export_price(spot, tariff)

    def snapshot(self) -> dict[str, object]:
        now = self.ctx.clock.now()
        buy, sell = self._prices_at(now)
        reading = self._inverter
        if reading is not None and (now - reading.measured_at).total_seconds() > self._ages_s[0]:
            reading = None  # stale is not fresh: nobody knows what flows now
        binding = strictest(self._limits, now)
        rooms = self._rooms
        if rooms is not None and (now - rooms.measured_at).total_seconds() > self._ages_s[1]:
            rooms = None
        return {
            "house_time": now.isoformat(),
            "local_time": now.astimezone(self._zone).isoformat(),
            "link_up": all(link.up for link in self._links.values()) if self._links else None,
            "price_import": buy,
            "price_export": sell,
            "soc": None if reading is None else reading.soc,
            "pv_kw": None if reading is None else reading.pv_kw,
            "battery_kw": None if reading is None else reading.battery_kw,
            "grid_kw": None if reading is None else reading.grid_kw,
            "load_kw": None if reading is None else reading.load_kw,
            "heating_kw": self._heating_kw(rooms),
            "composite": None if reading is None or reading.composite is None else reading.composite.value,
            "rooms": self._show_rooms(rooms, now),
            "plan": self._show_plan(now),
            "import_limit": None if binding is None else binding.row(now),
            "operator_limits": [limit.row(now) for limit in self._limits if limit.end > now],
            "alarms": [{"name": a.name, "text": a.text, "at": a.at.isoformat()} for a in list(self._alarms.values())],
            "proofs": [
                {"point": p.point, "stage": p.stage, "value": p.value, "latency_s": round(p.latency_s, 1)}
                for p in list(self._proofs)
            ],
            "cost_eur": round(self._accounts["pems"].eur, 4) if self._slot else None,
            "rules_cost_eur": round(self._accounts["rules"].eur, 4) if self._latest is not None else None,
            "restarts": list(self._restarts),
        }

    def _heating_kw(self, rooms: RoomsReading | None) -> float | None:
        if rooms is None:
            return None
        if any(r.relay_on is None for r in rooms.rooms.values()):
            return None  # a silent relay may be on
        kw = {r.name: r.heater_kw for r in self._house.rooms}
        return sum(kw[n] for n, r in rooms.rooms.items() if r.relay_on)

    def _show_rooms(self, rooms: RoomsReading | None, now: datetime) -> list[dict[str, object]]:
        if self._rooms is None:
            return []  # never heard; what was heard and is stale stays a row of unknowns
        local = now.astimezone(self._zone)
        hour = local.hour + local.minute / 60
        shown: list[dict[str, object]] = []
        for room in self._house.rooms:
            reading = None if rooms is None else rooms.rooms.get(room.name)
            shown.append(
                {
                    "name": room.name,
                    "air_c": None if reading is None else reading.air_c,
                    "relay_on": None if reading is None else reading.relay_on,
                    "automatic": None if reading is None else reading.automatic,
                    "lower_c": room.lower_c(hour, self._house.day_starts_h, self._house.day_ends_h),
                    "upper_c": room.max_c,
                }
            )
        return shown

    def _show_plan(self, now: datetime) -> dict[str, object]:
        ready = self._plan
        if ready is None:
            return {"made": 0, "trouble": self._trouble}
        result = ready.plan.result
        slot = max(0, int((now - result.start).total_seconds() // (result.dt_h * 3600)))
        runs: list[dict[str, object]] = []
        for i in range(slot, len(result.modes)):
            mode = result.modes[i]
            if not runs or runs[-1]["composite"] != mode.composite.value:
                begins = result.start + timedelta(hours=result.dt_h * i)
                runs.append({"composite": mode.composite.value, "from": begins.isoformat(), "slots": 0})
            count = runs[-1]["slots"]
            assert isinstance(count, int)
            runs[-1]["slots"] = count + 1
        return {
            "made": self._plans,
            "maker": result.maker,
            "quality": result.quality.value,
            "cost_eur": round(result.cost_eur, 3),
            "gap_eur": round(result.gap_eur, 4),
            "issued": ready.problem.issued.isoformat(),
            "took_s": None if self._plan_s is None else round(self._plan_s, 2),
            "next": runs[:6],
            "bent": _bent(result.bent_rules),
            "remarks": [{"about": r.about, "text": r.text} for r in ready.plan.remarks],
            "trouble": self._trouble,
        }


def _bent(rules: Iterable[BentRule]) -> list[dict[str, object]]:
    """What a plan bends, a row for each rule, dearest first."""
    by_rule: dict[str, list[BentRule]] = {}
    for bent in rules:
        by_rule.setdefault(bent.rule, []).append(bent)
    cost = {rule: sum(b.cost_eur for b in found) for rule, found in by_rule.items()}
    return [
        {
            "rule": rule,
            "slots": len(by_rule[rule]),
            "worst": round(max(b.amount for b in by_rule[rule]), 4),
            "unit": by_rule[rule][0].unit,
            "cost_eur": round(cost[rule], 4),
        }
        for rule in sorted(by_rule, key=lambda rule: -cost[rule])
    ]


def _meters(output: TwinOutput) -> dict[str, tuple[float, float]]:
    own = (output.import_kwh or 0.0, output.export_kwh or 0.0)
    rules = (output.rules_import_kwh or 0.0, output.rules_export_kwh or 0.0)
    return {"pems": own, "rules": rules}
