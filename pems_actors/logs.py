"""Where log lines go: JSON, one event a line, into the state folder; warnings to the standard error stream if asked."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from models.errors import ConfigError

FILE = "pems.log"
LIMIT_BYTES = 10_000_000
KEPT_FILES = 5
_SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
)


def to_folder(folder: Path, *, level: str = "INFO", stderr: bool = False) -> Path:
    """Log into `pems.log` of a state folder; files turn over at 10 MB and five old ones are kept.

    Parameters
    ----------
    folder : Path
        The state folder.
    level : str
        Least level that is written: DEBUG, INFO, WARNING, ERROR.
    stderr : bool
        Tell warnings on the standard error stream too.

    Returns
    -------
    Path
        The log file.

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    path = folder / FILE
    try:
        file = RotatingFileHandler(path, maxBytes=LIMIT_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", hint="choose another --state") from error
    file.setFormatter(_formatter(structlog.processors.JSONRenderer()))
    handlers: list[logging.Handler] = [file]
    if stderr:
        handlers.append(_to_stderr())
    _configure(handlers, level)
    return path


def to_stderr(*, level: str = "WARNING") -> None:
    """Log to the standard error stream only, for commands that own no state folder."""
    _configure([_to_stderr()], level)


def _to_stderr() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_formatter(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())))
    return handler


def _formatter(renderer: Any) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(_SHARED),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _configure(handlers: list[logging.Handler], level: str) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
