"""Room temperatures to come: the RC model of `models.physics.rooms`, solved exactly for inputs constant over a slot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.linalg import expm

from models.errors import DataError
from models.forecast.grid import Array
from models.physics.rooms import RoomPlant, nominal_plants
from models.types.forecast_request import RoomsForecast, RoomsRequest
from models.units import W_PER_KW


def forecast_rooms(request: RoomsRequest) -> RoomsForecast:
    """Temperatures of every room of a house, free-running unless `duty` heats it.

    Raises
    ------
    DataError
        A room has no start temperature, or a series has another length than the forecast.
    """
    plants = nominal_plants(request.house)
    base = request.forecast
    steps = len(base.outdoor_c)
    for plant in plants:
        for what, values in (("air_c", request.air_c), ("slab_c", request.slab_c)):
            if not np.isfinite(values.get(plant.name, np.nan)):
                raise DataError(f"{what} of room {plant.name} is unknown", hint="forecast when all rooms have reported")
    sun = {facing: np.asarray(values, dtype=np.float64) for facing, values in base.window_w_per_m2.items()}
    nothing = np.zeros(steps)
    sun_kw = [
        p.window_m2 * sun.get(p.facing, nothing) / W_PER_KW + request.disturbance_kw.get(p.name, 0.0) for p in plants
    ]
    heat_kw = [p.heater_kw * np.asarray(request.duty.get(p.name, nothing), dtype=np.float64) for p in plants]
    air, slab = simulate_rooms(
        plants,
        [request.air_c[p.name] for p in plants],
        [request.slab_c[p.name] for p in plants],
        heat_kw=_stacked("duty", plants, heat_kw, steps),
        sun_kw=_stacked("window_w_per_m2", plants, sun_kw, steps),
        outdoor_c=np.asarray(base.outdoor_c, dtype=np.float64),
        dt_h=base.dt_s / 3600.0,
    )
    return RoomsForecast(
        issued=base.issued,
        source=f"rooms by RC; {base.source}",
        start=base.start,
        dt_s=base.dt_s,
        air_c=_by_name(plants, air),
        slab_c=_by_name(plants, slab),
    )


def simulate_rooms(
    plants: Sequence[RoomPlant],
    air_c: Sequence[float],
    slab_c: Sequence[float],
    *,
    heat_kw: Array,
    sun_kw: Array,
    outdoor_c: Array,
    dt_h: float,
) -> tuple[Array, Array]:
    """Air and slab temperatures at the end of each slot.

    Parameters
    ----------
    plants : sequence of RoomPlant
        n rooms with their links.
    air_c, slab_c : sequence of float, length n
        At the start of slot 0 [°C].
    heat_kw, sun_kw : ndarray, shape (n, steps)
        Heat into the slab; heat into the air (windows, disturbances) [kW].
    outdoor_c : ndarray, shape (steps,)
        Outdoor air [°C].
    dt_h : float
        Length of a slot [h].

    Returns
    -------
    tuple of ndarray, each of shape (n, steps)
        Air and slab [°C]. NaN in an input stays NaN from there on.
    """
    n, steps = len(plants), len(outdoor_c)
    step, push = _discrete(tuple(plants), dt_h)
    state = np.concatenate((np.asarray(air_c, dtype=np.float64), np.asarray(slab_c, dtype=np.float64)))
    inputs = np.concatenate((heat_kw, sun_kw, outdoor_c[None, :]))
    result = np.empty((2 * n, steps))
    for k in range(steps):
        state = step @ state + push @ inputs[:, k]
        result[:, k] = state
    return result[:n], result[n:]


@lru_cache(maxsize=8)
def _discrete(plants: tuple[RoomPlant, ...], dt_h: float) -> tuple[Array, Array]:
    """State and input matrices of one slot: x' = step x + push u, u = (heat, sun, outdoor)."""
    n = len(plants)
    a, b = np.zeros((2 * n, 2 * n)), np.zeros((2 * n, 2 * n + 1))
    for i, p in enumerate(plants):
        air, slab = i, n + i
        a[slab, slab] = -p.slab_air_kw_per_k / p.slab_kwh_per_k
        a[slab, air] = p.slab_air_kw_per_k / p.slab_kwh_per_k
        a[air, slab] = p.slab_air_kw_per_k / p.air_kwh_per_k
        a[air, air] = -(p.slab_air_kw_per_k + p.ua_kw_per_k + sum(g for _, g in p.neighbours)) / p.air_kwh_per_k
        for other, g in p.neighbours:
            a[air, other] += g / p.air_kwh_per_k
        b[slab, i] = 1.0 / p.slab_kwh_per_k
        b[air, n + i] = 1.0 / p.air_kwh_per_k
        b[air, 2 * n] = p.ua_kw_per_k / p.air_kwh_per_k
    both = np.zeros((4 * n + 1, 4 * n + 1))
    both[: 2 * n, : 2 * n], both[: 2 * n, 2 * n :] = a, b
    both = expm(both * dt_h)  # exact for inputs that are constant over the slot
    return both[: 2 * n, : 2 * n], both[: 2 * n, 2 * n :]


def _stacked(what: str, plants: Sequence[RoomPlant], rows: Sequence[Array], steps: int) -> Array:
    for plant, row in zip(plants, rows, strict=True):
        if row.shape != (steps,):
            raise DataError(
                f"{what} of room {plant.name} has {row.size} values, the forecast has {steps} slots",
                hint="give every slot a value",
            )
    return np.asarray(rows, dtype=np.float64).reshape(len(plants), steps)


def _by_name(plants: Sequence[RoomPlant], values: Array) -> dict[str, tuple[float, ...]]:
    return {plant.name: tuple(map(float, row)) for plant, row in zip(plants, values, strict=True)}
