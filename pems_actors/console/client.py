"""Asking a running house over its console socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from models.errors import ConsoleError
from pems_actors.console.wire import ANSWER_LIMIT_BYTES, UNKNOWN_METHOD, Lines, TooLongError, line, reachable

TIMEOUT_S = 10.0


def call(
    path: Path, method: str, params: Mapping[str, object] | None = None, *, timeout_s: float = TIMEOUT_S
) -> object:
    """One call and its result.

    Parameters
    ----------
    path : Path
        The socket, in the state folder of the house.
    method, params : str, mapping
        What to ask.
    timeout_s : float
        For the whole call [s].

    Raises
    ------
    ConsoleError
        No house runs there, it refuses, or it does not answer in time.
    """
    ends = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(timeout_s)
        try:
            with reachable(path) as name:
                channel.connect(name)
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why before it hung up
                channel.sendall(line({"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params or {})}))
            channel.settimeout(max(ends - time.monotonic(), 0.001))
            answer = Lines(channel, ANSWER_LIMIT_BYTES).next()
        except ConnectionResetError:
            answer = None
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise ConsoleError(
                f"no house is running in {path.parent}", hint="start one with `run`, or name its folder with --state"
            ) from None
        except TimeoutError:
            raise ConsoleError(
                f"no answer to {method!r} within {timeout_s:g} s",
                hint="is the house busy starting or stopping? try again",
            ) from None
        except TooLongError:
            raise ConsoleError(f"the answer to {method!r} is longer than {ANSWER_LIMIT_BYTES} bytes") from None
        except PermissionError:
            raise ConsoleError(f"{path}: may not be opened", hint="call as the user who runs the house") from None
        except OSError as error:
            raise ConsoleError(f"{path}: {error.strerror or error}", hint="is the house stopping? try again") from None
    return _result(answer, path, method)


def _result(answer: bytes | None, path: Path, method: str) -> object:
    if answer is None:
        raise ConsoleError(f"the house in {path.parent} hung up", hint="call as the user who runs it, or try again")
    try:
        reply = json.loads(answer)
        error = reply.get("error")
        if error is None:
            return reply["result"]
        code, message = error.get("code"), str(error["message"])
        hint = (error.get("data") or {}).get("hint")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConsoleError(
            f"{path}: answered something that is no JSON-RPC", hint="is it the socket of a house?"
        ) from None
    if code == UNKNOWN_METHOD:
        raise ConsoleError(f"this house does not know {method!r}", hint="is it of another version?")
    raise ConsoleError(message, hint=None if hint is None else str(hint))
