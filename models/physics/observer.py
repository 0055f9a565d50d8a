"""What a thermometer does not show: the slab under it, and the heat that the model of the room lacks.

One small Kalman filter per room with three states: air, slab and a disturbance (kW into the air) that takes up
whatever the parameters get wrong, so that predictions carry no lasting offset. Plain Python: it runs in the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.physics.rooms import RoomPlant

Vector = list[float]
Matrix = list[list[float]]

AIR_NOISE_K2_PER_H = 0.01
SLAB_NOISE_K2_PER_H = 0.05
DISTURBANCE_SHARE = 0.25  # of a room's loss at 10 K, per square root of an hour: how fast the lack may wander
SENSOR_VARIANCE_K2 = 0.05**2


@dataclass(frozen=True, slots=True)
class RoomState:
    """The best estimate of one room."""

    air_c: float
    slab_c: float
    disturbance_kw: float


class RoomObserver:
    """Tracks one room from its air temperature.

    Parameters
    ----------
    plant : RoomPlant
        Parameters as the planner believes them.
    air_c : float
        First measurement; the slab is taken as equally warm.
    """

    def __init__(self, plant: RoomPlant, air_c: float) -> None:
        self._plant = plant
        self._x: Vector = [air_c, air_c, 0.0]
        self._p: Matrix = [[0.1, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, (0.005 * plant.ua_kw_per_k * 1e3) ** 2 + 1e-4]]

    @property
    def state(self) -> RoomState:
        return RoomState(*self._x)

    def update(
        self, *, dt_h: float, heat_kw: float, sun_kw: float, outdoor_c: float, others_c: Sequence[float], air_c: float
    ) -> None:
        """One step: predict over `dt_h`, then correct with the measurement.

        Parameters
        ----------
        dt_h : float
            Time since the last update [h]; long gaps are predicted in sub-steps.
        heat_kw, sun_kw, outdoor_c : float
            Means over that time.
        others_c : sequence of float
            Air of all rooms, in the order of the neighbours' indices.
        air_c : float
            Measured now.
        """
        steps = max(1, round(dt_h / 0.1))
        for _ in range(steps):
            self._predict(dt_h / steps, heat_kw, sun_kw, outdoor_c, others_c)
        self._correct(air_c)

    def _predict(
        self, h: float, heat_kw: float, sun_kw: float, outdoor_c: float, others_c: Sequence[float]
    ) -> None:
        p = self._plant
        air, slab, lack = self._x
        ca, cs, g = p.air_kwh_per_k, p.slab_kwh_per_k, p.slab_air_kw_per_k
        around = p.ua_kw_per_k + sum(k for _, k in p.neighbours)
        gain = p.ua_kw_per_k * outdoor_c + sum(k * others_c[i] for i, k in p.neighbours) + sun_kw + lack
        self._x = [
            air + h * (g * (slab - air) - around * air + gain) / ca,
            slab + h * (heat_kw - g * (slab - air)) / cs,
            lack,
        ]
        f = [[1 - h * (g + around) / ca, h * g / ca, h / ca], [h * g / cs, 1 - h * g / cs, 0.0], [0.0, 0.0, 1.0]]
        wander = DISTURBANCE_SHARE * max(p.ua_kw_per_k, 0.003) * 10.0
        q = (AIR_NOISE_K2_PER_H * h, SLAB_NOISE_K2_PER_H * h, wander * wander * h)
        fp = [[sum(f[i][k] * self._p[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
        self._p = [
            [sum(fp[i][k] * f[j][k] for k in range(3)) + (q[i] if i == j else 0.0) for j in range(3)] for i in range(3)
        ]

    def _correct(self, air_c: float) -> None:
        p = self._p
        s = p[0][0] + SENSOR_VARIANCE_K2
        gain = [p[i][0] / s for i in range(3)]
        miss = air_c - self._x[0]
        self._x = [x + k * miss for x, k in zip(self._x, gain, strict=True)]
        self._p = [[p[i][j] - gain[i] * p[0][j] for j in range(3)] for i in range(3)]
