"""The names and behaviours of pykka that the runtime relies on. If one of these fails, read `threads.py` anew."""

from __future__ import annotations

import inspect
import threading
from importlib.metadata import version
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope
from pykka.messages import _ActorStop


def test_the_version_is_one_that_was_read() -> None:
    major, minor = (int(part) for part in version("pykka").split(".")[:2])
    assert (4, 5) <= (major, minor) < (4, 6)


class Recorder(pykka.ThreadingActor):
    """An actor that notes which hooks pykka calls."""

    use_daemon_thread = True
    calls: list[Any]

    def __init__(self, calls: list[Any], fail_in: str = "") -> None:
        super().__init__()
        self.calls = calls
        self.fail_in = fail_in

    def on_start(self) -> None:
        self.calls.append(("start", threading.current_thread().daemon))
        if self.fail_in == "start":
            raise ValueError

    def on_receive(self, message: Any) -> Any:
        self.calls.append(message)
        if message == "boom":
            raise ValueError
        if message == "exit":
            raise SystemExit
        return message

    def on_stop(self) -> None:
        self.calls.append("stop")

    def on_failure(self, *_: object) -> None:
        self.calls.append("failure")


def test_the_inbox_is_made_by_a_static_hook_and_needs_put_get_and_empty() -> None:
    assert isinstance(inspect.getattr_static(pykka.ThreadingActor, "_create_actor_inbox"), staticmethod)

    class Inbox:
        def __init__(self) -> None:
            self.used: list[str] = []

        def put(self, envelope: Any, /) -> None:
            self.used.append("put")

        def get(self) -> Any:
            self.used.append("get")
            return Envelope("from our inbox") if len(self.used) < 2 else Envelope(_ActorStop())

        def empty(self) -> bool:
            self.used.append("empty")
            return True

    class Own(Recorder):
        @staticmethod
        def _create_actor_inbox() -> Any:
            return Inbox()

    calls: list[Any] = []
    ref = Own.start(calls)
    assert ref.actor_stopped.wait(5)
    _joined(ref)
    assert calls == [("start", True), "from our inbox", "stop"]
    assert ref.actor_inbox.used == ["get", "get", "empty"]  # type: ignore[attr-defined]


def test_start_registers_the_actor_and_stop_unregisters_it() -> None:
    ref = Recorder.start([])
    assert ref in pykka.ActorRegistry.get_all()
    ref.stop(timeout=5)
    assert ref not in pykka.ActorRegistry.get_all()


def test_a_stop_from_inside_ends_the_loop_after_the_message_in_hand() -> None:
    class Quits(Recorder):
        def on_receive(self, message: Any) -> None:
            self.calls.append(message)
            self._stop()
            self.calls.append("goes on to the end of the handler")

    calls: list[Any] = []
    ref = Quits.start(calls)
    ref.tell("one")
    assert ref.actor_stopped.wait(5)
    _joined(ref)
    assert calls == [("start", True), "one", "stop", "goes on to the end of the handler"]


def test_an_envelope_carries_message_and_reply_to() -> None:
    envelope: Envelope[Any] = Envelope("m")
    assert (envelope.message, envelope.reply_to) == ("m", None)


def test_a_stop_waits_behind_the_backlog_which_is_why_ours_does_not_use_it() -> None:
    calls: list[Any] = []
    gate = threading.Event()

    class Slow(Recorder):
        def on_receive(self, message: Any) -> None:
            gate.wait(5)
            self.calls.append(message)

    ref = Slow.start(calls)
    for n in range(5):
        ref.tell(n)
    stopped = ref.stop(block=False)
    gate.set()
    stopped.get(timeout=5)
    assert calls == [("start", True), 0, 1, 2, 3, 4, "stop"]


def test_an_exception_under_ask_leaves_the_actor_alive_which_is_why_ours_catches_first() -> None:
    ref = Recorder.start([])
    with pytest.raises(ValueError):
        ref.ask("boom", timeout=5)
    assert ref.is_alive()
    ref.stop(timeout=5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failing_start_calls_no_hook_which_is_why_ours_catches_first() -> None:
    calls: list[Any] = []
    ref = Recorder.start(calls, fail_in="start")
    assert ref.actor_stopped.wait(5)
    _joined(ref)
    assert calls == [("start", True)]


def test_system_exit_in_one_actor_stops_all_which_is_why_ours_catches_first() -> None:
    others = Recorder.start([])
    guilty = Recorder.start([])
    guilty.tell("exit")
    assert guilty.actor_stopped.wait(5)
    assert others.actor_stopped.wait(5)


def _joined(ref: pykka.ActorRef[Any]) -> None:
    """Wait for the thread behind an actor that has been told to stop."""
    for thread in threading.enumerate():
        if thread.name.startswith(ref.actor_class.__name__):
            thread.join(5)
