"""The latest forecast of a service: asked for now and then, and every issue kept on disk with its issue time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from actors.feeds.services.cache import DiskCache, Stamped
from models.errors import DataError, LinkError, StoreError

_FORM = "%Y%m%dT%H%M%SZ"
_SUFFIX = ".json.gz"
_TRIED = 8  # files looked through for one that can be used


class Issue(Protocol):
    """A forecast with its time."""

    @property
    def issued(self) -> datetime: ...
    @property
    def start(self) -> datetime: ...
    @property
    def dt_s(self) -> float: ...


T = TypeVar("T", bound=Issue)


@dataclass(frozen=True, slots=True)
class Latest(Generic[T]):
    """A forecast and what went wrong on the way to a newer one."""

    series: T
    trouble: str = ""


class Archived(Generic[T]):
    """Forecasts of one service for one place.

    Parameters
    ----------
    fetch : callable
        The service's answer, as JSON; raises `LinkError` or `DataError`.
    parse : callable
        From such an answer and its issue time to the forecast; raises `DataError`.
    slots : callable
        Number of slots of a forecast.
    cache : DiskCache
        One file an issue, as the service gave it.
    every_s : float
        A forecast younger than this is not asked for again.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[], object],
        parse: Callable[[object, datetime], T],
        cache: DiskCache,
        *,
        slots: Callable[[T], int],
        every_s: float,
    ) -> None:
        self._name, self._fetch, self._parse, self._cache, self._slots = name, fetch, parse, cache, slots
        self._every = timedelta(seconds=every_s * 0.9)  # a call a little early finds it old enough
        self._last: T | None = None

    def known_at(self, now: datetime) -> T:
        """What `ask` knows, without its trouble."""
        return self.ask(now).series

    def ask(self, now: datetime) -> Latest[T]:
        """The latest forecast issued by `now`, a new one if the last is old.

        Raises
        ------
        DataError
            There is none that reaches beyond `now`.
        """
        last = self._usable(now)
        if last is not None and now - last.issued < self._every:
            return Latest(last)
        try:
            answer = self._fetch()
            found = self._parse(answer, now)
        except (DataError, LinkError) as error:
            if last is None:
                raise DataError(f"no {self._name}: {error.problem}", hint=error.hint) from error
            return Latest(last, f"{error} (the one of {last.issued:%Y-%m-%d %H:%M} UTC stays)")
        self._last = found
        try:
            self._cache.write(now.astimezone(UTC).strftime(_FORM) + _SUFFIX, Stamped(now, answer))
        except StoreError as error:
            return Latest(found, str(error))
        return Latest(found)

    def issues(self) -> list[datetime]:
        """Issue times of everything in the archive, the oldest first."""
        found = (_issued(name) for name in self._cache.names())
        return [at for at in found if at is not None]

    def issue(self, issued: datetime) -> T | None:
        """The forecast of that issue time, as the archive has it."""
        stamped = self._cache.read(issued.astimezone(UTC).strftime(_FORM) + _SUFFIX)
        if stamped is None:
            return None
        try:
            return self._parse(stamped.data, stamped.fetched)
        except DataError:
            return None  # written by an older version that understood it otherwise

    def _usable(self, now: datetime) -> T | None:
        if self._last is None or self._last.issued > now:  # after a jump of the clock it would be a look ahead
            self._last = None
            for at in [at for at in reversed(self.issues()) if at <= now][:_TRIED]:
                self._last = self.issue(at)
                if self._last is not None:
                    break
        last = self._last
        if last is None:
            return None
        end = last.start + timedelta(seconds=last.dt_s * self._slots(last))
        return last if end > now else None


def _issued(name: str) -> datetime | None:
    try:
        return datetime.strptime(name.removesuffix(_SUFFIX), _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
