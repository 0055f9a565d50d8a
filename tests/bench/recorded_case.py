"""Planning cases and problems made from the recorded prices, weather and load that come with the demo house."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import config
from config.load import load
from config.schema import HouseFile
from models.physics.tariff import export_prices, import_prices
from models.twins.world import World
from pems_actors.simulation.world import Recorded
from solvers.case import COLUMNS, PlanningCase, load_case

QUARTER = timedelta(minutes=15)
HORIZON_H = 48


@dataclass(frozen=True, slots=True)
class Window:
    """48 hours of the record in quarter hours; prices are NaN where they were not recorded."""

    start: datetime
    price_import: tuple[float, ...]
    price_export: tuple[float, ...]
    pv_kw: tuple[float, ...]
    load_kw: tuple[float, ...]

    @property
    def complete(self) -> bool:
        """All prices are known."""
        return not any(math.isnan(p) for p in self.price_import)


class Record:
    """What was measured, read once."""

    def __init__(self) -> None:
        self.file: HouseFile = load(Path(config.__path__[0]) / "demo.toml")
        self._recorded = Recorded.of(self.file, 1)
        self._world: World = self._recorded.world().seen_from(self.file.house.site)
        self._zone = ZoneInfo(self.file.house.site.timezone)

    def window(self, start: datetime, *, fees: bool = True) -> Window:
        """48 hours from a full hour on.

        Parameters
        ----------
        start : datetime
            Aware.
        fees : bool
            False: energy is bought at the spot price, so that negative prices reach the house.
        """
        house = self.file.house
        end, steps = start + timedelta(hours=HORIZON_H), HORIZON_H * 4
        spot = self._recorded.prices.series(start, end, start, "record").spot_eur_per_kwh
        middles = [start + QUARTER * (i + 0.5) for i in range(steps)]
        bought = import_prices(spot, start=start, dt_s=900.0, tariff=house.tariff, zone=self._zone) if fees else spot
        return Window(
            start=start,
            price_import=tuple(bought),
            price_export=export_prices(spot, tariff=house.tariff),
            pv_kw=tuple(sum(self._world.pv_kw(a, at) for a in house.arrays) for at in middles),
            load_kw=tuple(self._world.load_kw(at) for at in middles),
        )


def written_case(folder: Path, name: str, window: Window, step_min: int) -> PlanningCase:
    """A case of the shared format at any step, written and read again: means of the quarter hours, or each of them
    several times.

    Parameters
    ----------
    folder : Path
        Where NAME.json and NAME.csv go.
    step_min : int
        A multiple or a divisor of 15.
    """
    columns = (window.price_import, window.price_export, window.pv_kw, window.load_kw)
    series = [_at_step(values, step_min) for values in columns]
    fields = {
        "name": name, "step_min": step_min, "steps": len(series[0]), "capacity_kwh": 10.0, "charge_kw": 5.0,
        "discharge_kw": 5.0, "eff_charge": 0.95, "eff_discharge": 0.95, "soc_min": 0.1, "soc_max": 1.0,
        "soc_initial": 0.5, "soc_final": 0.1, "grid_import_limit_kw": 17.0, "grid_export_limit_kw": 15.0,
        "pv_curtailable": True,
    }  # fmt: skip
    path = folder / f"{name}.json"
    path.write_text(json.dumps(fields))
    with path.with_suffix(".csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for i, row in enumerate(zip(*series, strict=True)):
            table.writerow([(window.start + timedelta(minutes=step_min * i)).isoformat(), *row])
    return load_case(path)


def _at_step(values: tuple[float, ...], step_min: int) -> tuple[float, ...]:
    if step_min >= 15:
        n = step_min // 15
        return tuple(sum(values[i : i + n]) / n for i in range(0, len(values), n))
    return tuple(v for v in values for _ in range(15 // step_min))
