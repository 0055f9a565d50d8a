"""The auditor: hears all events of a runtime, looks at the truth, and notes every invariant that does not hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from actors.audit.authority import Authority
from actors.audit.book import Book, Breach, Durations
from actors.audit.physics import Physics
from actors.audit.registers import EXPORT, StoredSettings
from actors.audit.relays import Relays
from actors.audit.signals import Signals
from actors.messages import (
    Alarm,
    Incoming,
    Latched,
    LinkState,
    OperatorLimits,
    Permit,
    PricesKnown,
    Proof,
    Trip,
    TripReset,
    Wear,
    WireWrite,
)
from actors.runtime import Abandoned, Clock, Failed, Started, Stopped
from models.twins.truth import TwinTruth
from models.types.command import Request, Verdict
from models.types.house import House
from models.types.point import PointSpec
from models.types.reading import InverterReading, MeterReading, RoomsReading

INVERTER = "/devices/inverter"
TELEMETRY, RESULT = "energy/solar", "energy/solar/result"


class Observed(Protocol):
    """What the auditor needs of a runtime."""

    @property
    def clock(self) -> Clock: ...

    def listen(self, listener: Callable[[object], None], *event_types: type) -> None: ...


class Audit:
    """An independent recomputation: it calls none of the gate's functions and keeps its own record.

    Parameters
    ----------
    house : House
    points : tuple of PointSpec
        The table of points.
    timing : Durations
        The house's timing as it runs.
    writes_per_day, slot_writes_per_day : int
        Budgets of stored-register writes.
    """

    def __init__(
        self,
        house: House,
        points: tuple[PointSpec, ...],
        timing: Durations,
        *,
        writes_per_day: int = 24,
        slot_writes_per_day: int = 48,
    ) -> None:
        self._book = Book()
        self._signals = Signals(house, timing, self._book)
        self._authority = Authority(points, timing, self._signals, self._book)
        self._stored = StoredSettings(
            house,
            timing,
            self._signals,
            self._book,
            writes_per_day=writes_per_day,
            slot_writes_per_day=slot_writes_per_day,
        )
        self._relays = Relays(house, points, timing, self._authority, self._signals, self._book)
        self._physics = Physics(house, timing, self._authority, self._signals, self._stored, self._book)
        self._authority.at_default = self._at_default
        self._clock: Clock | None = None
        self._heard: dict[type, Callable[[Any], None]] = {
            Request: self._authority.offered,
            Verdict: lambda e: self._authority.verdict(e, self._now(), self._at_s()),
            Permit: self._authority.permit,
            Trip: lambda e: self._authority.tripped(e, self._at_s()),
            TripReset: lambda e: self._authority.reset(e, self._at_s()),
            Latched: lambda e: self._authority.latched(e, self._at_s()),
            Alarm: self._authority.alarm,
            Started: self._started,
            Failed: lambda e: self._authority.ended(e.path),
            Stopped: lambda e: self._authority.ended(e.path),
            Abandoned: lambda e: self._authority.ended(e.path),
            WireWrite: self._write,
            Proof: self._proof,
            InverterReading: lambda e: self._signals.see_inverter(e, self._at_s()),
            MeterReading: self._meter,
            RoomsReading: self._rooms,
            PricesKnown: self._signals.see_prices,
            Wear: lambda e: self._signals.see_wear(e, self._at_s()),
            LinkState: lambda e: self._signals.see_link(e, self._at_s()),
            OperatorLimits: lambda e: self._signals.see_limits(e, self._at_s()),
            Incoming: self._incoming,
        }

    @property
    def checks(self) -> Counter[int]:
        """Evaluations by invariant number."""
        return self._book.checks

    @property
    def breaches(self) -> list[Breach]:
        """The first thousand, in order; `total` counts all."""
        return self._book.breaches

    @property
    def total(self) -> int:
        """How many breaches there were."""
        return self._book.total

    def attach(self, runtime: Observed) -> None:
        """Hear everything from now on; before the runtime starts."""
        self._clock = runtime.clock
        runtime.listen(self._hear, *self._heard)

    def look(self, truth: TwinTruth, at_s: float) -> None:
        """Compare with what really happens in the house now.

        Parameters
        ----------
        truth : TwinTruth
        at_s : float
            Monotonic time of the runtime's clock [s].
        """
        self._physics.look(truth, self._now(), at_s)
        self._authority.settled(at_s)
        self._relays.settled(at_s)

    # --- events -----------------------------------------------------------------------------------------------------
    def _hear(self, event: object) -> None:
        heard = self._heard.get(type(event))
        if heard is not None:
            heard(event)

    def _started(self, event: Started) -> None:
        self._authority.started(event.path, event.incarnation, self._at_s())
        if event.path == INVERTER:
            self._stored.restarted()

    def _write(self, write: WireWrite) -> None:
        self._authority.write(write, self._now())
        self._relays.write(write)
        if write.counted:
            self._stored.write(write)

    def _proof(self, proof: Proof) -> None:
        self._authority.proof(proof, self._at_s())
        self._stored.proof(proof, self._at_s())
        self._relays.proof(proof, self._at_s())

    def _meter(self, reading: MeterReading) -> None:
        self._signals.see_meter(reading, self._at_s())
        self._relays.see_meter(reading, self._at_s())

    def _rooms(self, reading: RoomsReading) -> None:
        self._signals.see_rooms(reading, self._at_s())
        self._relays.see_rooms(reading, self._at_s())

    def _incoming(self, message: Incoming) -> None:
        if message.topic == TELEMETRY:
            self._stored.telemetry(message.payload, message.received_s)
        elif message.topic == RESULT and not message.retained:
            self._stored.result(message.payload, self._at_s())

    def _at_default(self, spec: PointSpec) -> bool:
        """The device reports the default of this point, whatever was written last."""
        if spec.relay is not None:
            room = None if self._signals.rooms is None else self._signals.rooms.rooms.get(spec.name.split(".")[1])
            return room is not None and room.automatic is True
        # a day's budget that is used up is no breach of its own: the limit returns when the budget does
        return spec.name == EXPORT and (self._stored.export_is(str(spec.default)) or self._stored.spent_up())

    def _at_s(self) -> float:
        assert self._clock is not None, "attach the auditor before the runtime starts"
        return self._clock.monotonic()

    def _now(self) -> datetime:
        assert self._clock is not None, "attach the auditor before the runtime starts"
        return self._clock.now()
