"""Ports on the stepper with functions, and on threads with real processes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.runtime import (
    Behaviour,
    ChildSpec,
    FunctionWorker,
    ManualClock,
    Port,
    ProcessWorker,
    PykkaRuntime,
    StepRuntime,
    SupervisorSpec,
    WorkerCall,
    WorkerDone,
    WorkerEnded,
    WorkerFailed,
    WorkerStarted,
    serve,
)
from actors.runtime.frames import Unpacker, pack
from tests.actors.runtime.echo import CODEC, Job
from tests.actors.runtime.world import START

ECHO = [sys.executable, "-m", "tests.actors.runtime.echo"]


class Client(Behaviour):
    """Sends each call it is given to the port and keeps what comes back, with its cause."""

    def __init__(self, kept: list[tuple[object, str]]) -> None:
        self.kept = kept

    def handle(self, message: object) -> None:
        if isinstance(message, WorkerCall):
            self.kept.append(("sent", self.ctx.cause))
            self.ctx.tell("/s/port", message)
        else:
            self.kept.append((message, self.ctx.cause))


def call(method: str, body: object = None, *, id: str = "1", deadline_s: float = 10.0) -> WorkerCall:
    return WorkerCall(id=id, method=method, body=body, deadline_s=deadline_s)


class House:
    """A port and its client on either runtime."""

    def __init__(self, make: Callable[[], Any], *, steps: bool, **port: Any) -> None:
        self.kept: list[tuple[object, str]] = []
        self.events: list[object] = []
        children = (
            ChildSpec(id="port", make=lambda: Port(make, **port)),
            ChildSpec(id="client", make=lambda: Client(self.kept)),
        )
        tree = SupervisorSpec(id="root", children=(SupervisorSpec(id="s", children=children),))
        self.clock = ManualClock(START)
        self.runtime: Any = StepRuntime(tree, clock=self.clock) if steps else PykkaRuntime(tree)
        self.runtime.listen(self.events.append, WorkerStarted, WorkerEnded)
        self.runtime.start()

    @property
    def results(self) -> list[Any]:
        return [message for message, _ in list(self.kept) if message != "sent"]

    @property
    def port(self) -> dict[str, Any]:
        return dict(self.runtime.behaviour_snapshot("/s/port"))

    def send(self, *calls: WorkerCall) -> None:
        for one in calls:
            self.runtime.tell("/s/client", one)

    def wait_for(self, count: int, seconds: float = 20.0) -> list[Any]:
        """On threads: until so many results have come."""
        until(lambda: len(self.results) >= count, seconds)
        return self.results


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not come about within {seconds} s"
        threading.Event().wait(0.002)


# --- functions on the stepper -------------------------------------------------------------------------------------


def boom(_: object) -> object:
    raise ValueError("no solution")


METHODS = {"double": lambda x: 2 * x, "boom": boom}


def test_a_function_worker_answers_after_its_virtual_time() -> None:
    house = House(lambda: FunctionWorker(METHODS, {"double": 3.0}), steps=True)
    house.send(call("double", 21))
    house.runtime.run_for(2.9)
    assert house.results == []
    assert house.port["in_flight"] == "double"
    house.runtime.run_for(0.2)
    assert house.results == [WorkerDone(id="1", method="double", value=42, took_s=3.0)]


def test_the_result_carries_the_cause_of_the_call() -> None:
    house = House(lambda: FunctionWorker(METHODS, 1.0), steps=True)
    house.send(call("double", 1), call("boom", id="2"))
    house.runtime.run_for(5)
    (_, first), (_, second), (done, done_cause), (failed, failed_cause) = house.kept
    assert isinstance(done, WorkerDone) and isinstance(failed, WorkerFailed)
    assert (done_cause, failed_cause) == (first, second) and first != second


def test_one_call_is_in_flight_and_the_others_wait_in_order() -> None:
    running: list[object] = []

    def work(body: object) -> object:
        running.append(body)
        return body

    house = House(lambda: FunctionWorker({"work": work}, 2.0), steps=True)
    house.send(*(call("work", n, id=str(n)) for n in range(3)))
    house.runtime.run_for(1)
    assert running == [0] and house.port["waiting"] == 2
    house.runtime.run_for(10)
    assert [r.value for r in house.results] == [0, 1, 2]
    assert [r.took_s for r in house.results] == [2.0] * 3


def test_too_many_waiting_calls_are_answered_busy() -> None:
    house = House(lambda: FunctionWorker(METHODS, 1.0), steps=True, queue_bound=2)
    house.send(*(call("double", n, id=str(n)) for n in range(5)))
    house.runtime.run_for(10)
    assert [(r.id, getattr(r, "kind", "done")) for r in house.results] == [
        ("3", "busy"),
        ("4", "busy"),
        ("0", "done"),
        ("1", "done"),
        ("2", "done"),
    ]


def test_an_exception_in_a_method_is_an_answer_and_the_worker_lives_on() -> None:
    house = House(lambda: FunctionWorker(METHODS), steps=True)
    house.send(call("boom"), call("nothing", id="2"), call("double", 4, id="3"))
    house.runtime.run_until_idle()
    first, second, third = house.results
    assert first == WorkerFailed(id="1", method="boom", kind="error", reason="ValueError: no solution")
    assert second.reason == "no method 'nothing' here; there are boom, double"
    assert third.value == 8
    assert house.port["starts"] == 1


def test_a_call_past_its_deadline_is_reported_then_and_its_late_result_dropped() -> None:
    house = House(lambda: FunctionWorker(METHODS, {"double": 60.0}), steps=True)
    house.send(call("double", 1, deadline_s=5))
    house.runtime.run_for(5)
    (failed,) = house.results
    assert (failed.kind, failed.reason) == ("deadline", "not done within 5 s, the worker was killed")
    house.send(call("double", 2, id="2", deadline_s=100))
    house.runtime.run_for(58)
    assert len(house.results) == 1, "the first worker's answer would have come by now"
    house.runtime.run_for(10)
    assert house.results[1] == WorkerDone(id="2", method="double", value=4, took_s=60.0)
    assert house.port["starts"] == 2 and house.port["kills"] == 1


def test_a_call_whose_deadline_passes_while_it_waits_is_reported_without_a_kill() -> None:
    house = House(lambda: FunctionWorker(METHODS, 10.0), steps=True)
    house.send(call("double", 1, deadline_s=50), call("double", 2, id="2", deadline_s=4))
    house.runtime.run_for(20)
    late, done = house.results
    assert (late.id, late.kind, late.reason) == ("2", "deadline", "not begun within 4 s")
    assert done.value == 2
    assert house.port["kills"] == 0


def test_a_port_can_be_asked() -> None:
    house = House(lambda: FunctionWorker(METHODS, 3.0), steps=True)
    done = house.runtime.ask("/s/port", call("double", 5), 10)
    assert done.value == 10


def test_open_calls_are_reported_when_the_port_ends() -> None:
    house = House(lambda: FunctionWorker(METHODS, 3.0), steps=True)
    house.send(call("double", 1), call("double", 2, id="2"))
    house.runtime.run_for(1)
    house.runtime.restart("/s/port")
    house.runtime.run_for(10)
    assert [(r.id, r.kind) for r in house.results] == [("1", "stopped"), ("2", "stopped")]
    house.send(call("double", 3))
    house.runtime.run_for(10)
    assert house.results[-1].value == 6


def test_a_worker_that_cannot_start_fails_the_call_and_is_tried_again_at_the_next() -> None:
    tries: list[int] = []

    class Stubborn(FunctionWorker):
        def start(self, host: Any) -> None:
            tries.append(1)
            if len(tries) == 1:
                raise OSError("no memory")
            super().start(host)

    house = House(lambda: Stubborn(METHODS), steps=True)
    house.send(call("double", 1), call("double", 2, id="2"))
    house.runtime.run_until_idle()
    first, second = house.results
    assert (first.kind, first.reason) == ("crashed", "no memory")
    assert second.value == 4


def test_an_unknown_message_to_a_port_is_a_dead_letter() -> None:
    house = House(lambda: FunctionWorker(METHODS), steps=True)
    house.runtime.tell("/s/port", "hello")
    house.runtime.tell("/s/port", call("double", 1))  # from outside: nobody to answer, nothing breaks
    house.runtime.run_until_idle()
    assert house.runtime.dead_letters()[-1].reason == "unhandled"
    assert house.port["calls"] == 1


# --- processes on threads -----------------------------------------------------------------------------------------


@pytest.fixture
def open_house() -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def build(command: list[str] = ECHO, *, worker: dict[str, Any] | None = None, **port: Any) -> House:
        house = House(lambda: ProcessWorker(command, CODEC, **(worker or {})), steps=False, **port)
        made.append(house)
        return house

    yield build
    for house in made:
        house.runtime.stop(10)


def test_a_process_answers_registered_types_whatever_it_prints(
    open_house: Callable[..., House], tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "worker.log"
    house = open_house(worker={"log_path": log})
    job = Job(name="řízení", values=(1.0, float("inf"), -0.5))
    house.send(call("double", job), call("chatter", {"a": [1, None]}, id="2"), call("echo", "x" * 3_000_000, id="3"))
    first, second, third = house.wait_for(3)
    assert first.value == Job(name="řízení", values=(2.0, float("inf"), -1.0))
    assert second.value == {"a": [1, None]}
    assert len(third.value) == 3_000_000
    assert 0 < third.took_s < 10
    house.runtime.stop(10)
    assert "and to 2" in log.read_text() and "solvers print" in log.read_text()


def test_a_method_that_raises_or_returns_the_unsendable_is_an_error_of_the_call(
    open_house: Callable[..., House],
) -> None:
    house = open_house()
    house.send(
        call("fail", "this"),
        call("unsendable", id="2"),
        call("echo", object(), id="3"),
        call("no such", id="4"),
        call("echo", 5, id="5"),
    )
    one, two, three, four, five = sorted(house.wait_for(5), key=lambda r: str(r.id))
    assert (one.kind, one.reason) == ("error", "ValueError: cannot do this")
    assert two.kind == "error" and "cannot be sent" in two.reason
    assert three.kind == "error" and "register its type" in three.reason
    assert four.kind == "error" and "no method 'no such'" in four.reason
    assert five.value == 5
    assert house.port["starts"] == 1


def test_a_process_past_its_deadline_is_killed_and_the_next_call_gets_a_new_one(
    open_house: Callable[..., House],
) -> None:
    house = open_house()
    house.send(call("pid"))
    pid = house.wait_for(1)[0].value
    house.send(call("hang", id="2", deadline_s=0.2), call("pid", id="3"))
    _, late, fresh = house.wait_for(3)
    assert late.kind == "deadline"
    assert fresh.value not in (pid, None)
    until(lambda: not alive(pid))
    assert house.port["kills"] == 1 and house.port["starts"] == 2 and house.port["pid"] == fresh.value


def test_a_process_that_dies_in_a_call_is_reported_with_its_exit_code(open_house: Callable[..., House]) -> None:
    house = open_house()
    house.send(call("die", 3), call("echo", "next", id="2"))
    crashed, fine = house.wait_for(2)
    assert (crashed.kind, crashed.reason) == ("crashed", "the worker ended in the call: exit code 3")
    assert fine.value == "next"
    assert house.port["deaths"] == 1


def test_a_process_killed_between_calls_is_noticed_at_once(open_house: Callable[..., House]) -> None:
    house = open_house(eager=True)
    pid = house.port["pid"]
    assert pid is not None and house.port["calls"] == 0
    os.kill(pid, signal.SIGKILL)
    until(lambda: house.port["pid"] is None)
    until(lambda: len(house.events) == 2)
    assert house.events == [
        WorkerStarted("/s/port", pid),
        WorkerEnded("/s/port", pid, "worker ended: killed by SIGKILL"),
    ]
    house.send(call("echo", "again"))
    assert house.wait_for(1)[0].value == "again"


@pytest.mark.parametrize(
    "nonsense",
    ["GET / HTTP/1.1", "\0\0\0\x04abcd", '\0\0\0\x3c{"id": null}\n', "\0\0\0\x3c[1]\n{", '\0\0\0\x3c{"id": 1}'],
)
def test_a_process_that_talks_nonsense_is_killed(open_house: Callable[..., House], nonsense: str) -> None:
    house = open_house()
    house.send(call("nonsense", nonsense), call("echo", "next", id="2"))
    crashed, fine = house.wait_for(2)
    assert crashed.kind == "crashed" and "does not keep the protocol" in crashed.reason
    assert fine.value == "next"


def test_a_program_that_does_not_exist_fails_the_call(open_house: Callable[..., House]) -> None:
    house = open_house(["/no/such/program"])
    house.send(call("echo", 1))
    (failed,) = house.wait_for(1)
    assert failed.kind == "crashed" and "/no/such/program cannot be started" in failed.reason


def test_a_program_that_ends_at_once_fails_the_call(open_house: Callable[..., House]) -> None:
    house = open_house([sys.executable, "-c", "import sys; sys.exit(4)"])
    house.send(call("echo", 1))
    (failed,) = house.wait_for(1)
    assert failed.kind == "crashed" and "exit code 4" in failed.reason


def test_a_process_gets_its_niceness_and_variables(open_house: Callable[..., House]) -> None:
    before = os.nice(0)
    house = open_house(worker={"nice": 3, "env": {"PEMS_TEST": "yes"}})
    house.send(call("nice"), call("env", "PEMS_TEST", id="2"), call("env", "PATH", id="3"))
    nice, own, inherited = house.wait_for(3)
    assert nice.value == min(before + 3, 19) or nice.value == 3
    assert own.value == "yes" and inherited.value == os.environ["PATH"]


def test_a_process_that_hangs_up_but_lives_on_is_killed(open_house: Callable[..., House]) -> None:
    hang_up = "import os, sys, threading; os.close(int(sys.argv[-1])); threading.Event().wait(60)"
    house = open_house([sys.executable, "-c", hang_up], worker={"grace_s": 0.1})
    house.send(call("echo", 1))
    (failed,) = house.wait_for(1)
    assert failed.kind == "crashed" and "SIGKILL" in failed.reason


def test_the_worker_side_answers_until_the_other_side_has_closed() -> None:
    ours, theirs = socket.socketpair()
    worker = threading.Thread(target=serve, args=(theirs.detach(), METHODS, CODEC))
    worker.start()
    unpacker = Unpacker()
    calls = [("double", CODEC.encode(4)), ("boom", CODEC.encode(0)), ("nothing", CODEC.encode(0)), ("double", b"junk")]
    answers = []
    for n, (method, body) in enumerate(calls):
        ours.sendall(pack({"id": n, "method": method}, body))
        arrived: list[Any] = []
        while not arrived:
            arrived = unpacker.feed(ours.recv(1000))
        answers.append(arrived[0])
    assert answers[0] == ({"id": 0, "ok": True}, CODEC.encode(8))
    assert answers[1] == ({"id": 1, "ok": False, "error": "ValueError: no solution"}, b"")
    assert answers[2][0]["error"] == "no method 'nothing' here; there are boom, double"
    assert "CodecError: not a tagged value" in answers[3][0]["error"]
    ours.close()
    worker.join(5)
    assert not worker.is_alive()


def test_stopping_the_port_lets_the_process_go_in_order(open_house: Callable[..., House]) -> None:
    house = open_house(eager=True)
    pid = house.port["pid"]
    house.send(call("pid"))
    house.wait_for(1)
    assert house.runtime.stop(10)
    until(lambda: not alive(pid), 5)


def test_a_process_in_a_call_is_killed_when_its_grace_is_over(open_house: Callable[..., House]) -> None:
    house = open_house(worker={"grace_s": 0.1})
    house.send(call("pid"), call("hang", id="2"))
    pid = house.wait_for(1)[0].value
    until(lambda: house.port["in_flight"] == "hang")
    house.runtime.restart("/s/port")
    assert house.wait_for(2)[1].kind == "stopped"
    until(lambda: not alive(pid), 5)


def test_workers_end_when_the_core_is_killed(tmp_path: Path) -> None:
    core = tmp_path / "core.py"
    core.write_text(
        f"""
import sys, threading
from actors.runtime import ProcessWorker
from tests.actors.runtime.echo import CODEC
class Host:
    def result(self, serial, value):
        print(value, flush=True)
        worker.submit(2, "hang", None)
    def error(self, serial, reason): print(reason, flush=True)
    def lost(self, reason): print(reason, flush=True)
worker = ProcessWorker({ECHO!r}, CODEC)
worker.start(Host())
worker.submit(1, "pid", None)
threading.Event().wait(60)
"""
    )
    import subprocess

    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen([sys.executable, str(core)], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert alive(pid)
    process.kill()
    process.wait(5)
    until(lambda: not alive(pid), 10)
    process.stdout.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
