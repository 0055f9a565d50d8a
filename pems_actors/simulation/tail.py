"""What is left in battery and rooms at the end of a run: what the days after it cost under plain rules.

One life of those days tells little. Thermostats switch at 0.4 K, and a heater that starts just before a negative price
or just after it, or once more before the end, moves the sum by more than a euro. So the days are lived several times,
each time with every room a little warmer or colder, and the rows are the means of all. The lives come in pairs, of
which one has what the other lacks: together they hold the heat that really was there, and nothing of chance remains
of the first order.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from random import Random

from models.scorecard import EvidenceRow, RoomRow
from models.twins.house import HouseTwin
from models.types.forecast import PriceSeries
from models.types.loxone import THERMOSTAT_HYSTERESIS_K
from pems_actors.simulation.recorder import Recorder

APART_K = THERMOSTAT_HYSTERESIS_K / 2  # as far as a thermostat leaves a room on either side of its middle


def tail(twin: HouseTwin, prices: PriceSeries, end: datetime, *, pairs: int, seed: int) -> list[EvidenceRow]:
    """Quarter hours from now to `end` under plain rules.

    Parameters
    ----------
    twin : HouseTwin
        As the run left it; it is not touched.
    prices : PriceSeries
        What the market really did.
    pairs : int
        Of lives; 0: one life, just as the rooms are.
    seed : int
        Decides how far apart each pair is: the same for all policies.
    """
    if pairs == 0:
        return _life(twin, prices, end, [0.0] * len(twin.house.rooms))
    random, lives = Random(seed), []
    for _ in range(pairs):
        apart_k = [random.uniform(-APART_K, APART_K) for _ in twin.house.rooms]
        lives += [_life(twin, prices, end, apart_k), _life(twin, prices, end, [-k for k in apart_k])]
    return [mean_row(rows) for rows in zip(*lives, strict=True)]


def _life(twin: HouseTwin, prices: PriceSeries, end: datetime, apart_k: Sequence[float]) -> list[EvidenceRow]:
    own = copy.deepcopy(twin)
    own.inverter.battery_idle = False
    own.warm_air(apart_k)
    recorder = Recorder(own, prices)
    recorder.live(end, "tail")
    return recorder.rows


def mean_row(rows: Sequence[EvidenceRow]) -> EvidenceRow:
    """The mean of the same quarter hour in several lives; the composite is that of most."""
    first = rows[0]

    def mean(name: str) -> float:
        return math.fsum(getattr(row, name) for row in rows) / len(rows)

    def room_mean(index: int, name: str) -> float:
        return math.fsum(getattr(row.rooms[index], name) for row in rows) / len(rows)

    return EvidenceRow(
        time_utc=first.time_utc,
        phase=first.phase,
        price_import=first.price_import,
        price_export=first.price_export,
        pv_kw=mean("pv_kw"),
        pv_available_kw=mean("pv_available_kw"),
        load_kw=mean("load_kw"),
        heating_kw=mean("heating_kw"),
        battery_kw=mean("battery_kw"),
        grid_kw=mean("grid_kw"),
        soc=mean("soc"),
        composite=Counter(row.composite for row in rows).most_common(1)[0][0],
        rooms=tuple(
            RoomRow(
                name=room.name,
                temperature_c=room_mean(i, "temperature_c"),
                slab_c=room_mean(i, "slab_c"),
                relay_share=room_mean(i, "relay_share"),
                lower_c=room.lower_c,
                upper_c=room.upper_c,
            )
            for i, room in enumerate(first.rooms)
        ),
    )
