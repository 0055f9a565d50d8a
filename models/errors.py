"""What can go wrong, in the words of the person who must mend it.

PemsError
├── ConfigError          a file, argument or environment variable says something we cannot follow
├── DataError            a series (prices, weather, load, a planning case) is not what it claims to be
│   └── PayloadError     one message from a device is
├── StaleReadingError    a reading is older than the decision that needs it allows
├── LinkError            the wire to a device, broker or service is gone
├── StoreError           the store cannot be opened, read or written
├── PlanError            no plan could be made or one was not fit to be used
└── ConsoleError         the running house could not be reached or refused a console command
"""

from __future__ import annotations


class PemsError(Exception):
    """A problem with its remedy; both are shown to the user on one line.

    Parameters
    ----------
    problem : str
        What is wrong: names the field, the value and the limit.
    hint : str, optional
        What to do about it.
    """

    def __init__(self, problem: str, *, hint: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        line = self.problem if self.hint is None else f"{self.problem}; {self.hint}"
        return " ".join(line.split())  # one line, whatever a payload or a library put into it


class ConfigError(PemsError):
    """A file, argument or environment variable says something we cannot follow."""


class DataError(PemsError):
    """A series or a case file is not what it claims to be."""


class PayloadError(DataError):
    """One message from a device is not what it claims to be."""


class StaleReadingError(PemsError):
    """A reading is older than the decision that needs it allows."""


class LinkError(PemsError):
    """The wire to a device, broker or service is gone."""


class StoreError(PemsError):
    """The store cannot be opened, read or written."""


class PlanError(PemsError):
    """No plan could be made, or one was not fit to be used."""


class ConsoleError(PemsError):
    """The running house could not be reached, or refused a console command."""
