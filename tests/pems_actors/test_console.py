"""The console answers its own user, one line per call, and stays up whatever is sent to it."""

from __future__ import annotations

import json
import math
import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import ConsoleError, PlanError
from pems_actors.console import server as server_module
from pems_actors.console.client import call
from pems_actors.console.server import ConsoleServer
from pems_actors.console.wire import ANSWER_LIMIT_BYTES, REQUEST_LIMIT_BYTES


def _refuse(_: dict[str, Any]) -> object:
    raise PlanError("no plan yet", hint="wait for the first")


def _break(_: dict[str, Any]) -> object:
    raise RuntimeError("a bug\nof ours")


HANDLERS = {
    "echo": lambda params: params,
    "refuse": _refuse,
    "break": _break,
    "huge": lambda _: "x" * (ANSWER_LIMIT_BYTES + 1),
    "odd": lambda _: {"nan": math.nan, "deep": [math.inf, (1, 2)], "path": Path("/x"), 3: {"set"}},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "console.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ConsoleServer]:
    with ConsoleServer(path, HANDLERS) as one:
        yield one


def raw(path: Path, request: bytes, answers: int = 1) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(10)
        channel.connect(str(path))
        channel.sendall(request)
        with channel.makefile("rb") as lines:
            return [json.loads(lines.readline()) for _ in range(answers)]


def test_a_call_is_answered(server: ConsoleServer, path: Path) -> None:
    assert call(path, "echo", {"point": "room.x.relay", "n": 1.5}) == {"point": "room.x.relay", "n": 1.5}
    assert call(path, "echo") == {}


def test_the_socket_is_for_its_owner_only(server: ConsoleServer, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_json_has_no_word_for_is_told_as_null_or_text(server: ConsoleServer, path: Path) -> None:
    assert call(path, "odd") == {"nan": None, "deep": [None, [1, 2]], "path": "/x", "3": ["set"]}


def test_a_refusal_keeps_problem_and_hint(server: ConsoleServer, path: Path) -> None:
    with pytest.raises(ConsoleError) as caught:
        call(path, "refuse")
    assert (caught.value.problem, caught.value.hint) == ("no plan yet", "wait for the first")


def test_a_bug_in_a_handler_is_one_line_and_the_console_lives_on(server: ConsoleServer, path: Path) -> None:
    with pytest.raises(ConsoleError, match=r"^RuntimeError: a bug of ours$"):
        call(path, "break")
    assert call(path, "echo") == {}


def test_a_method_that_does_not_exist_is_told(server: ConsoleServer, path: Path) -> None:
    with pytest.raises(ConsoleError, match="does not know 'fly'"):
        call(path, "fly")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"not json\n", -32700),
        (b"\xff\xfe\n", -32700),
        (b"[" * 20_000 + b"\n", -32700),
        (b"[]\n", -32600),
        (b"7\n", -32600),
        (b"{}\n", -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "echo"}\n', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}\n', -32600),
        (b'{"jsonrpc": "2.0", "id": [1], "method": "echo"}\n', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "__class__"}\n', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "echo", "params": [1]}\n', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "huge"}\n', -32603),
    ],
)
def test_a_bad_request_is_answered_by_its_code(server: ConsoleServer, path: Path, request_: bytes, code: int) -> None:
    (answer,) = raw(path, request_)
    assert answer["jsonrpc"] == "2.0"
    assert answer["error"]["code"] == code


def test_a_request_that_is_too_long_is_refused_and_the_connection_ends(server: ConsoleServer, path: Path) -> None:
    (answer,) = raw(path, b"x" * (REQUEST_LIMIT_BYTES + 70_000))
    assert "at most" in answer["error"]["message"]
    assert call(path, "echo") == {}


def test_several_calls_on_one_connection_are_answered_in_order(server: ConsoleServer, path: Path) -> None:
    lines = [{"jsonrpc": "2.0", "id": f"n{i}", "method": "echo", "params": {"i": i}} for i in range(5)]
    answers = raw(path, b"".join(json.dumps(one).encode() + b"\n" for one in lines), answers=5)
    assert [(one["id"], one["result"]["i"]) for one in answers] == [(f"n{i}", i) for i in range(5)]


def test_a_notification_is_done_and_not_answered(path: Path) -> None:
    seen: list[object] = []
    with ConsoleServer(path, {"note": seen.append, **HANDLERS}):
        request = (
            b'{"jsonrpc": "2.0", "method": "note", "params": {"a": 1}}\n{"jsonrpc": "2.0", "id": 2, "method": "echo"}\n'
        )
        (answer,) = raw(path, request)
    assert answer["id"] == 2
    assert seen == [{"a": 1}]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    request_=st.one_of(
        st.binary(max_size=100),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["id", "method", "params", "jsonrpc", "x"]), inner)
            ),
            max_leaves=10,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_no_line_whatsoever_breaks_the_console(tmp_path: Path, request_: bytes) -> None:
    answer = ConsoleServer(tmp_path / "unused", HANDLERS).answer(request_)
    if answer is not None:
        told = json.loads(answer)
        assert ("error" in told) != ("result" in told)


def test_more_callers_than_slots_are_told_to_try_again(path: Path) -> None:
    with ConsoleServer(path, HANDLERS, clients=1), socket.socket(socket.AF_UNIX) as first:
        first.settimeout(10)
        first.connect(str(path))
        first.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "echo"}\n')
        assert first.recv(1000)
        with pytest.raises(ConsoleError, match="hands full"):
            call(path, "echo")


def test_a_silent_caller_is_hung_up_on(path: Path) -> None:
    with ConsoleServer(path, HANDLERS, idle_s=0.05), socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(10)
        channel.connect(str(path))
        assert channel.recv(1) == b""


def test_a_stranger_is_hung_up_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class OtherUser(struct.Struct):
        def unpack(self, data: Any) -> tuple[int, int, int]:
            return (1, 12345, 12345)

    monkeypatch.setattr(server_module, "_UCRED", OtherUser("3i"))
    seen: list[object] = []
    with ConsoleServer(path, {"echo": seen.append}), pytest.raises(ConsoleError, match="hung up"):
        call(path, "echo")
    assert seen == []


def test_a_slow_answer_times_out_for_the_caller_only(path: Path) -> None:
    let_go = threading.Event()
    with ConsoleServer(path, {"slow": lambda _: let_go.wait(10), **HANDLERS}):
        with pytest.raises(ConsoleError, match=r"no answer to 'slow' within 0.05 s"):
            call(path, "slow", timeout_s=0.05)
        assert call(path, "echo") == {}
        let_go.set()


def test_nobody_there_is_one_clear_line(tmp_path: Path) -> None:
    for place in (tmp_path / "console.sock", tmp_path / "none" / "console.sock"):
        with pytest.raises(ConsoleError, match="no house is running in"):
            call(place, "ps")
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    with pytest.raises(ConsoleError, match="no house is running in"):
        call(stale, "ps")


def test_a_stale_socket_is_replaced_and_removed_at_the_end(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with ConsoleServer(path, HANDLERS):
        assert call(path, "echo") == {}
    assert not path.exists()


def test_something_that_is_no_socket_is_not_removed(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ConsoleError, match="no socket"):
        ConsoleServer(path, HANDLERS).start()
    assert path.read_text() == "precious"


def test_a_folder_that_others_may_write_in_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ConsoleError, match="lets others write"):
        ConsoleServer(folder / "console.sock", HANDLERS).start()
    with pytest.raises(ConsoleError, match="No such file"):
        ConsoleServer(tmp_path / "none" / "console.sock", HANDLERS).start()


def test_a_state_folder_with_a_long_name_works_too(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with ConsoleServer(folder / "console.sock", HANDLERS):
        assert call(folder / "console.sock", "echo", {"a": 1}) == {"a": 1}


def test_stopping_frees_those_who_wait_and_can_be_done_twice(path: Path) -> None:
    one = ConsoleServer(path, HANDLERS)
    one.start()
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(10)
        channel.connect(str(path))
        channel.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "echo"}\n')
        assert channel.recv(1000)
        one.stop()
        one.stop()
        assert channel.recv(1000) == b""


@pytest.mark.parametrize("answer", [b"nonsense\n", b"[]\n", b'{"id": 1}\n', b'{"error": {}}\n', b'{"error": 5}\n', b""])
def test_a_socket_that_talks_something_else_is_one_clear_line(path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)

        def talk() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                client.sendall(answer)

        speaker = threading.Thread(target=talk)
        speaker.start()
        with pytest.raises(ConsoleError, match="no JSON-RPC|hung up"):
            call(path, "ps", timeout_s=10)
        speaker.join(10)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = opened()
    for _ in range(3):
        with ConsoleServer(tmp_path / "console.sock", HANDLERS):
            call(tmp_path / "console.sock", "echo")
    for thread in threading.enumerate():
        if thread.name.startswith("console"):
            thread.join(10)
    assert opened() <= before
