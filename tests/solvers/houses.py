"""Problems to plan: small houses for quick tests, and one like the demo house for speed."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from models.types.mode import REGULAR, Composite, InverterMode
from solvers.problem import BatteryProblem, Commitment, PeakPrice, PlanProblem, RoomProblem

START = datetime(2021, 2, 8, tzinfo=UTC)

BATTERY = BatteryProblem(
    capacity_kwh=10.0,
    soc=0.5,
    soc_min=0.2,
    soc_max=1.0,
    charge_kw=5.0,
    discharge_kw=5.0,
    eff_charge_pv=0.97,
    eff_charge_ac=0.92,
    eff_discharge=0.93,
    wear_eur_per_kwh=0.04,
    taper_above_soc=0.9,
    taper_end_share=0.2,
    battery_first_draw_kw=1.2,
)

# kW, m2, UA W/K, day min, night min, max: the demo house
DEMO_ROOMS = (
    (0.46, 6, 3, 17, 17, 22),
    (0.82, 9, 7, 18, 18, 23),
    (0.56, 12, 7, 18, 18, 23),
    (0.82, 10.5, 4, 17, 17, 23),
    (0.82, 9, 25, 17, 16, 22),
    (1.8, 19, 32, 19, 18, 22.5),
    (1.2, 20.5, 10, 19, 18, 22.5),
    (2.02, 29, 20, 18.5, 18, 22),
    (0.22, 3, 2, 19, 19, 23),
    (0.82, 11, 18, 20.5, 19, 23),
    (1.2, 13.5, 34, 19.5, 18.5, 22),
    (1.2, 14, 19, 20.5, 19, 23),
    (1.2, 14, 19, 20.5, 19, 23),
    (0.62, 8.5, 8, 21.5, 20, 24.5),
    (0.47, 6, 7, 21.5, 20, 24.5),
    (1.8, 24, 30, 20.5, 19.5, 23),
    (4.8, 39.5, 78, 21, 20, 23.5),
)


def house(steps: int = 24, *, prices: list[float] | None = None, **changes: object) -> PlanProblem:
    """A battery and a roof without rooms; prices in EUR/kWh for import, exports earn 0.1 less."""
    spot = prices if prices is not None else [0.25 + 0.1 * math.sin(t / 4.0) for t in range(steps)]
    base = PlanProblem(
        id="test",
        issued=START,
        start=START,
        dt_h=0.25,
        price_import=tuple(spot),
        price_export=tuple(p - 0.1 for p in spot),
        price_known=(True,) * len(spot),
        pv_kw=(0.0,) * len(spot),
        load_kw=(0.5,) * len(spot),
        outdoor_c=(0.0,) * len(spot),
        import_limit_kw=22.0,
        export_limit_kw=10.0,
        ac_limit_kw=10.0,
        battery=BATTERY,
        mode_now=REGULAR,
        mode_held_slots=8,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def room(steps: int, **changes: object) -> RoomProblem:
    """A living room of 20 m2."""
    base = RoomProblem(
        name="room",
        heater_kw=2.0,
        air_kwh_per_k=1.8,
        slab_kwh_per_k=0.4,
        slab_air_kw_per_k=0.24,
        ua_kw_per_k=0.04,
        neighbours=(),
        air_c=20.5,
        slab_c=23.0,
        disturbance_kw=0.0,
        sun_kw=(0.0,) * steps,
        lower_c=(20.0,) * steps,
        upper_c=(23.0,) * steps,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def random_house(seed: int, *, steps: int = 24, most_rooms: int = 3) -> PlanProblem:
    """Any small house: prices of both signs, sun, a battery or none, rooms in and out of their band, odd limits."""
    rnd = random.Random(seed)
    level = rnd.choice((0.0, 0.1, 0.3))
    spot = [level + rnd.uniform(-0.15, 0.25) for _ in range(steps)]
    if rnd.random() < 0.2:
        spot = [level + 0.2] * steps
    known = rnd.choice((steps, steps, steps // 2, 0))
    sun = rnd.choice((0.0, 2.0, 9.0))
    rooms = tuple(_random_room(rnd, i, steps) for i in range(rnd.randint(0, most_rooms)))
    rooms = tuple(replace(r, neighbours=_chain(i, len(rooms))) for i, r in enumerate(rooms))
    battery = None if rnd.random() < 0.15 else _random_battery(rnd, steps)
    priced = house(
        prices=spot,
        price_export=tuple(p - rnd.choice((0.0, 0.03, 0.12)) for p in spot),
        price_known=tuple(t < known for t in range(steps)),
        pv_kw=tuple(max(0.0, sun * math.sin(math.pi * t / steps) * rnd.uniform(0.5, 1.0)) for t in range(steps)),
        load_kw=tuple(rnd.choice((0.06, 0.4, 3.0)) for _ in range(steps)),
        outdoor_c=tuple(rnd.uniform(-10.0, 25.0) for _ in range(steps)),
        import_limit_kw=rnd.choice((22.0, 6.0, 2.0)),
        export_limit_kw=rnd.choice((10.0, 1.0, 0.0)),
        ac_limit_kw=rnd.choice((10.0, 3.0)),
        phase_limit_kw=rnd.choice((None, 7.36, 2.0)),
        pv_curtailable=rnd.random() < 0.9,
        battery=battery,
        rooms=rooms,
        mode_held_slots=rnd.choice((0, 2, 9)),
    )
    return _restless(rnd, priced)


def _restless(rnd: random.Random, problem: PlanProblem) -> PlanProblem:
    """With an operator, a price on power, a mode that is held or a plan to keep to, now and then."""
    if problem.free:
        return problem
    changes: dict[str, object] = {}
    if rnd.random() < 0.25:
        limits = tuple(rnd.choice((problem.import_limit_kw, 1.5)) for _ in range(problem.steps))
        changes["import_limits_kw"] = limits
    if rnd.random() < 0.25:
        changes["peak"] = PeakPrice(eur_per_kw=rnd.choice((0.1, 3.0)), measured_kw=rnd.choice((0.0, 2.5)),
                                    once=rnd.random() < 0.7)  # fmt: skip
    if problem.battery is not None and rnd.random() < 0.3:
        changes["battery"] = replace(problem.battery, wear_deep_eur_per_kwh=rnd.choice((0.02, 0.3)))
    if problem.battery is not None and rnd.random() < 0.2:
        mode = rnd.choice((REGULAR, InverterMode(composite=Composite.HOLD, stop_soc=0.4)))
        changes |= {"mode_now": mode, "mode_forced_slots": rnd.randint(1, problem.steps)}
    if problem.battery is not None and rnd.random() < 0.25:
        last = rnd.choice((REGULAR, InverterMode(composite=Composite.HOLD)))
        changes["commitment"] = Commitment(modes=(last,) * 6, at_most_eur=rnd.choice((0.0, 0.05)), left_eur=1.0)
    return replace(problem, **changes)  # type: ignore[arg-type]


def _random_battery(rnd: random.Random, steps: int) -> BatteryProblem:
    return replace(
        BATTERY,
        soc=rnd.choice((0.05, 0.2, 0.5, 0.83, 1.0)),
        soc_max=rnd.choice((1.0, 0.9)),
        taper_above_soc=rnd.choice((0.9, 1.0)),
        reserve_soc=rnd.choice((None, None, 0.4)),
        full_by_slot=rnd.choice((None, None, steps // 2)),
        composites=rnd.random() < 0.7,
        charge_kw=rnd.choice((5.0, 2.0)),
        deep_below_soc=0.4,
    )


def _random_room(rnd: random.Random, index: int, steps: int) -> RoomProblem:
    air = rnd.uniform(17.0, 24.0)
    low = rnd.uniform(18.0, 21.0)
    return room(
        steps,
        name=f"room_{index}",
        heater_kw=rnd.choice((0.5, 2.0, 4.8)),
        ua_kw_per_k=rnd.choice((0.0, 0.02, 0.08)),
        air_c=air,
        slab_c=air + rnd.uniform(-1.0, 5.0),
        disturbance_kw=rnd.uniform(-0.05, 0.05),
        sun_kw=tuple(rnd.uniform(0.0, 0.5) for _ in range(steps)),
        lower_c=tuple(low + (1.0 if t > steps // 2 else 0.0) for t in range(steps)),
        upper_c=(rnd.choice((low + 2.0, low + 0.5)),) * steps,
        phase=rnd.randint(0, 3),
        forced_slots=0 if rnd.random() < 0.8 else rnd.choice((1, steps // 2, steps)),
        forced_duty=rnd.choice((0.0, 0.3, 1.0)),
    )


def _chain(index: int, count: int) -> tuple[tuple[int, float], ...]:
    return tuple((j, 0.015) for j in (index - 1, index + 1) if 0 <= j < count)


def demo_house(slot: int = 0, *, steps: int = 192, season: str = "winter") -> PlanProblem:
    """The demo house with made-up but lifelike weather and prices, `slot` quarter hours into its days."""
    start = START + timedelta(minutes=15) * slot
    hours = [(slot + t) / 4.0 for t in range(steps)]
    cold, sun = (-2.0, 3.0) if season == "winter" else (9.0, 9.0)
    spot = [
        0.06
        + 0.03 * math.sin(2 * math.pi * (int(h) - 2) / 12)
        + 0.02 * math.cos(2 * math.pi * int(h) / 24)
        - (0.0 if season == "winter" else 0.09 * max(0.0, math.sin(math.pi * (int(h) % 24 - 8) / 10)))
        for h in hours
    ]
    day = [max(0.0, math.sin(math.pi * (h % 24 - 7) / 10)) if 7 < h % 24 < 17 else 0.0 for h in hours]
    outdoor = tuple(cold + 3.0 * math.sin(2 * math.pi * (h - 9) / 24) for h in hours)
    fee = [0.085 if int(h % 24) in (10, 12, 14, 17) else 0.055 for h in hours]
    return house(
        start=start,
        issued=start,
        prices=[(s + 0.02 + f) * 1.21 for s, f in zip(spot, fee, strict=True)],
        price_export=tuple(s - 0.014 for s in spot),
        pv_kw=tuple(sun * d for d in day),
        load_kw=tuple(0.36 + 0.35 * math.exp(-(((h % 24 - 19) / 2) ** 2)) for h in hours),
        outdoor_c=outdoor,
        import_limit_kw=22.08,
        phase_limit_kw=7.36,
        rooms=tuple(_demo_room(i, hours, day, outdoor[0]) for i in range(len(DEMO_ROOMS))),
    )


def _demo_room(i: int, hours: list[float], day: list[float], outdoor_c: float) -> RoomProblem:
    kw, area, ua, by_day, by_night, top = DEMO_ROOMS[i]
    lower = tuple((by_day if 6 <= (h + 0.25) % 24 < 22 else by_night) + 0.15 for h in hours)
    air = lower[0] + 0.1 + 0.7 * ((i * 7) % 10) / 10
    links = tuple(
        (j, 0.0005 * (area + DEMO_ROOMS[j][1]) / 2) for j in (i - 1, i + 1) if 0 <= j < len(DEMO_ROOMS)
    )
    return RoomProblem(
        name=f"room_{i}",
        heater_kw=kw,
        air_kwh_per_k=0.09 * area,
        slab_kwh_per_k=0.02 * area,
        slab_air_kw_per_k=0.012 * area,
        ua_kw_per_k=ua / 1000.0,
        neighbours=links,
        air_c=air,
        slab_c=air + ua / 1000.0 * (air - outdoor_c) / (0.012 * area),
        disturbance_kw=0.01 * math.sin(i),
        sun_kw=tuple(0.05 * area * 0.4 * d for d in day),
        lower_c=lower,
        upper_c=(top - 0.15,) * len(hours),
        phase=0 if i == 16 else i % 3 + 1,
    )
