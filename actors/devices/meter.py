"""The meter at the grid connection, as the inverter reports it: import minus export, and what they add up to."""

from __future__ import annotations

from actors.devices.base import Device, DeviceActor, DeviceTiming
from actors.messages import Incoming
from actors.runtime import Behaviour
from models.types.house import House
from models.types.point import PointSpec
from models.types.reading import InverterReading, MeterReading


class DailyMeter:
    """A total from a counter that falls back to 0 every midnight."""

    def __init__(self) -> None:
        self.total_kwh: float | None = None
        self._last: float | None = None

    def see(self, today_kwh: float | None) -> None:
        """One more reading of the daily counter; None changes nothing."""
        if today_kwh is None:
            return
        if self._last is not None:
            step = today_kwh - self._last
            self.total_kwh = (self.total_kwh or 0.0) + (step if step >= 0 else today_kwh)
        self._last = today_kwh


class MeterActor(DeviceActor):
    """Cannot be commanded; turns what the inverter measures into the meter's reading."""

    def __init__(self, timing: DeviceTiming) -> None:
        super().__init__((), timing)
        self._imported, self._exported = DailyMeter(), DailyMeter()
        self._grid_kw: float | None = None

    def on_start(self) -> None:
        Behaviour.on_start(self)
        self.ctx.subscribe(InverterReading, coalesce=lambda _: "inverter")

    def handle(self, message: object) -> None:
        match message:
            case InverterReading(online=True, grid_kw=float(grid_kw)):
                self._imported.see(message.import_today_kwh)
                self._exported.see(message.export_today_kwh)
                self._grid_kw = grid_kw
                self.ctx.publish(
                    MeterReading(
                        measured_at=message.measured_at,
                        grid_kw=grid_kw,
                        import_kwh=self._imported.total_kwh,
                        export_kwh=self._exported.total_kwh,
                    )
                )
            case InverterReading() | Incoming():
                pass  # offline, or without grid power: the meter's value expires
            case _:
                super().handle(message)

    def snapshot(self) -> dict[str, object]:
        return {
            "grid_kw": self._grid_kw,
            "import_kwh": self._imported.total_kwh,
            "export_kwh": self._exported.total_kwh,
        }


def points(house: House) -> tuple[PointSpec, ...]:
    """A meter has no points."""
    return ()


def make(house: House, timing: DeviceTiming, extras: object) -> DeviceActor:
    """Built by the registry."""
    return MeterActor(timing)


DEVICE = Device(id="meter", points=points, make=make)
