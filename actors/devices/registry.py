"""All devices of the house. A new device is one file beside this one and one line here."""

from __future__ import annotations

from actors.devices import inverter, meter, rooms
from actors.devices.base import Device
from models.types.house import House
from models.types.point import PointSpec

DEVICES: tuple[Device, ...] = (
    inverter.DEVICE,
    rooms.DEVICE,
    meter.DEVICE,
)


def all_points(house: House) -> tuple[PointSpec, ...]:
    """The table of points of this house."""
    return tuple(point for device in DEVICES for point in device.points(house))
