"""What brokers and networks do to the link: rows M1 to M7 and M12 of the fault matrix, with a real broker."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from actors.links.topics import SUBSCRIPTIONS, TOPICS
from actors.messages import Alarm, Incoming, LinkState
from models.types.mqtt import Mqtt
from tests.actors.links.broker import Broker, broker, free_port, need_mosquitto, until
from tests.actors.links.certificates import Signer
from tests.actors.links.proxy import Proxy
from tests.actors.links.wire import Link, Peer

__all__ = ["broker"]
SET = "loxone/heating/hall/set"
STATUS = "loxone/heating/hall/status"
QUICK = {"retry_max_s": 0.3}


def settings(url: str, **more: object) -> Mqtt:
    return Mqtt.model_validate({"url": url, **QUICK, **more})


# --- M1 ---------------------------------------------------------------------------------------------------------------
def test_a_broker_killed_again_and_again_gets_what_is_wished_within_two_seconds_and_nothing_old(broker: Broker) -> None:
    with Peer(broker.url, "loxone/#", retry_max_s=0.1) as loxone, Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        for number in range(5):
            broker.kill()
            until(lambda: "nothing listens" in link.reason, "noticed, and tried again")
            link.send("loxone/old", f"{number}", slot="old", ttl_s=0.05)
            link.send(SET, f"{number}", slot="wish")
            until(lambda n=number: link.snapshot["expired"] == n + 1, "the old one is over")  # type: ignore[misc]
            broker.start()
            wish = f"{number}".encode()
            assert until(lambda w=wish: w in loxone.payloads(SET), "re-asserted") <= 2.0  # type: ignore[misc]
        assert loxone.payloads(SET) == [b"0", b"1", b"2", b"3", b"4"]
        assert not loxone.payloads("loxone/old")


# --- M2 ---------------------------------------------------------------------------------------------------------------
def test_a_frozen_broker_is_noticed_and_connected_to_again_when_it_thaws(broker: Broker) -> None:
    patience = settings(broker.url, connect_s=0.5, keepalive_s=2)  # the bench waits as long as the default does
    with Link(patience) as link:
        link.wait_up()
        broker.freeze()
        try:
            assert link.wait_down() <= patience.silence_s + 1.0
            assert "is silent" in link.of(LinkState)[-1].reason
            until(lambda: "did not answer" in link.reason, "it is tried again")
        finally:
            broker.thaw()
        link.wait_up()
        assert not [a for a in link.of(Alarm) if a.name == "mqtt_takeover"]  # own tries are no take-over


# --- M3 ---------------------------------------------------------------------------------------------------------------
def test_a_broker_that_comes_back_without_sessions_takes_all_that_was_pending(broker: Broker) -> None:
    with Link(settings(broker.url)) as link:
        link.wait_quiet()
        broker.freeze()  # so that receipts are missing, and the rest waits
        for i in range(40):
            link.send(SET, f"{i}", slot=f"{i}")
        until(lambda: link.snapshot["in_flight"] == 15, "the window is full")
        assert len(link.snapshot["waiting"]) == 25
        broker.kill()
        link.wait_down()
        broker.start()
        with Peer(broker.url, SET):
            until(lambda: link.snapshot["acked"] == 40, "all are taken")
            assert (link.snapshot["resent"], link.snapshot["in_flight"]) == (15, 0)
            link.send(SET, "more")
            until(lambda: link.snapshot["acked"] == 41, "and more")


# --- M4 ---------------------------------------------------------------------------------------------------------------
def test_a_slow_wire_that_cuts_packets_in_the_middle_keeps_queues_short_and_loses_no_wish(broker: Broker) -> None:
    with Proxy(broker.port) as proxy, Peer(broker.url, SET) as loxone:
        proxy.piece, proxy.delay_s, proxy.cut_after = 7, 0.001, 90
        deepest = 0
        with Link(settings(proxy.url)) as link:
            for i in range(200):
                link.send(SET, f"{i}", slot=f"{i % 20}")
                loxone.say(STATUS, f"{i}".encode() * 9, slot=f"status-{i}")
                deepest = max(deepest, link.snapshot["in_flight"] + len(link.snapshot["waiting"]))
                if i % 50 == 0:
                    until(lambda n=i // 50: proxy.connections > n, "cut, and connected again")  # type: ignore[misc]
            proxy.cut_after, proxy.piece, proxy.delay_s = None, 65_536, 0.0
            last = {f"{i}".encode() for i in range(180, 200)}
            until(lambda: last <= set(loxone.payloads(SET)), "the latest wish of each slot has arrived")
            until(lambda: not link.snapshot["waiting"] and not link.snapshot["in_flight"], "everything is out")
            assert deepest <= 20 + 15
            loxone.say(STATUS, b"last")
            until(lambda: link.of(Incoming) and link.of(Incoming)[-1].payload == b"last", "and it hears again")
            assert link.snapshot["malformed"] == 0


# --- M5 ---------------------------------------------------------------------------------------------------------------
def test_a_refused_user_is_named_and_let_in_once_the_broker_is_repaired(broker: Broker) -> None:
    broker.kill()
    users = broker.folder / "users"
    users.touch(mode=0o600)
    broker.configure("allow_anonymous false", f"password_file {users}")
    broker.start()
    password = SecretStr("quite-secret")
    with Link(settings(broker.url, user="pems"), password) as link:
        link.wait_down()
        assert "refuses user 'pems'" in link.reason
        assert "mqtt.user and the secret mqtt_password" in link.reason
        assert "quite-secret" not in str(link.snapshot) + str(link.events)
        subprocess.run(["mosquitto_passwd", "-b", str(users), "pems", "quite-secret"], check=True, capture_output=True)
        broker.signal(1)  # SIGHUP: it reads its files again
        assert link.wait_up() < 10.0


def test_a_client_without_user_is_told_that_one_is_needed(broker: Broker) -> None:
    broker.kill()
    (broker.folder / "users").touch(mode=0o600)
    broker.configure("allow_anonymous false", f"password_file {broker.folder / 'users'}")
    broker.start()
    with Link(settings(broker.url)) as link:
        link.wait_down()
        assert "refuses us without a user" in link.reason


# --- M6 ---------------------------------------------------------------------------------------------------------------
def test_a_topic_that_the_broker_forbids_is_an_alarm_that_ends_when_it_is_allowed(broker: Broker) -> None:
    broker.kill()
    acl = broker.folder / "acl"
    acl.write_text("topic read #\ntopic write pems/#\n")
    broker.configure(f"acl_file {acl}")
    broker.start()
    with Link(settings(broker.url)) as link:
        link.wait_up()
        link.send(SET, "on")
        until(lambda: [a for a in link.of(Alarm) if a.name == "mqtt_forbidden"], "it is told")
        alarm = next(a for a in link.of(Alarm) if a.name == "mqtt_forbidden")
        assert alarm.active
        assert alarm.text == f"the broker does not let clients without user write {SET}; allow it in its ACL"
        assert (link.snapshot["refused"], link.snapshot["acked"]) == (1, 0)
        acl.write_text("topic readwrite #\n")
        broker.signal(1)
        until(lambda: "Reloading config" in broker.log(), "it has read its files again")
        link.send(SET, "on")
        until(lambda: link.of(Alarm)[-1].name == "mqtt_forbidden" and not link.of(Alarm)[-1].active, "and its end")


# --- M7 ---------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Signer]:
    need_mosquitto()
    folder = tmp_path_factory.mktemp("tls")
    return Signer(folder, "ours"), Signer(folder, "others")


@pytest.fixture
def tls_broker(tmp_path: Path, signers: tuple[Signer, Signer]) -> Iterator[Broker]:
    made = Broker(tmp_path / "tls")
    serve(made, signers[0].sign("good", "IP:127.0.0.1,DNS:localhost"))
    yield made
    made.kill()


def serve(broker: Broker, certificate: tuple[Path, Path]) -> None:
    broker.kill()
    broker.configure(f"certfile {certificate[0]}", f"keyfile {certificate[1]}")
    broker.start()


def refusal(broker: Broker, url: str, **more: object) -> str:
    """Why there is no connection; nothing of us may have come through."""
    with Link(settings(url, **more)) as link:
        link.wait_down()
        time.sleep(0.2)  # there is no fallback to wait for: give one the time to show
        assert link.snapshot["connections"] == 0
        assert "pems-house" not in broker.log()
        return link.reason


def test_with_the_right_certificate_the_wire_is_encrypted(
    tls_broker: Broker, signers: tuple[Signer, Signer]
) -> None:
    url = tls_broker.url.replace("mqtt:", "mqtts:")
    with Link(settings(url, ca_file=signers[0].certificate)) as link:
        link.wait_up()
        link.send(SET, "on")
        until(lambda: link.snapshot["unheard"], "a receipt")


def test_another_signer_is_refused(tls_broker: Broker, signers: tuple[Signer, Signer]) -> None:
    url = tls_broker.url.replace("mqtt:", "mqtts:")
    assert f"it is not signed by {signers[1].certificate}; mqtt.ca_file" in refusal(
        tls_broker, url, ca_file=signers[1].certificate
    )
    assert "its signer is unknown here; mqtt.ca_file" in refusal(tls_broker, url)


def test_an_expired_certificate_is_refused(tls_broker: Broker, signers: tuple[Signer, Signer]) -> None:
    serve(tls_broker, signers[0].sign("old", "IP:127.0.0.1", days=-1))
    url = tls_broker.url.replace("mqtt:", "mqtts:")
    assert "it has expired; renew it" in refusal(tls_broker, url, ca_file=signers[0].certificate)


def test_a_certificate_of_another_name_is_refused(tls_broker: Broker, signers: tuple[Signer, Signer]) -> None:
    serve(tls_broker, signers[0].sign("elsewhere", "DNS:elsewhere.example"))
    url = tls_broker.url.replace("mqtt:", "mqtts:")
    assert "it is not for '127.0.0.1'" in refusal(tls_broker, url, ca_file=signers[0].certificate)


def test_plain_and_encrypted_never_mix(
    tls_broker: Broker, broker: Broker, signers: tuple[Signer, Signer]
) -> None:
    encrypted = broker.url.replace("mqtt:", "mqtts:")
    assert "is it its plain port?" in refusal(broker, encrypted, ca_file=signers[0].certificate)
    said = refusal(tls_broker, tls_broker.url, connect_s=1.0)
    assert "if it is its TLS port, write mqtts://" in said or "without TLS?" in said


def test_a_certificate_file_that_is_none_is_named(tmp_path: Path) -> None:
    with Link(settings(f"mqtts://127.0.0.1:{free_port()}", ca_file=tmp_path / "ca.crt")) as link:
        link.wait_down()
        assert link.reason.startswith(f"mqtt.ca_file {tmp_path / 'ca.crt'}: No such file")


# --- addresses, other clients, other payloads -------------------------------------------------------------------------
def test_nobody_at_the_address_and_no_such_host_are_told_apart() -> None:
    for url, said in (
        (f"mqtt://127.0.0.1:{free_port()}", "nothing listens at 127.0.0.1"),
        ("mqtt://broker.invalid", "there is no host 'broker.invalid'"),
    ):
        with Link(settings(url)) as link:
            link.wait_down()
            assert said in link.reason


def test_a_second_client_of_our_name_is_an_alarm_and_makes_us_keep_away(broker: Broker) -> None:
    with Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        with Peer(broker.url, name="house"):
            until(lambda: [a for a in link.of(Alarm) if a.name == "mqtt_takeover"], "it is told")
            alarm = next(a for a in link.of(Alarm) if a.name == "mqtt_takeover")
            assert "use our id 'pems-house'; give each its own: mqtt.name" in alarm.text
            before = link.snapshot["connections"]
            time.sleep(1.0)  # what must not happen has a second to happen
            assert link.snapshot["connections"] == before  # a pause of seconds, not of the usual tenths


def test_a_payload_too_large_is_dropped_and_counted_and_one_of_megabytes_never_comes(broker: Broker) -> None:
    with Link(Mqtt(url=broker.url)) as link, Peer(broker.url) as peer:
        link.wait_up()
        peer.say(STATUS, b"x" * 70_000, slot="a")
        peer.say(STATUS, b"x" * 32_000_000, slot="b")
        peer.say(STATUS, b"x" * 65_536, slot="c")
        until(lambda: link.of(Incoming), "the one that fits")
        assert [len(m.payload) for m in link.of(Incoming)] == [65_536]
        assert link.snapshot["dropped_oversize"] == 1


# --- M12 --------------------------------------------------------------------------------------------------------------
def test_nothing_that_pems_listens_to_is_a_command_and_no_command_of_ours_stays_at_the_broker(broker: Broker) -> None:
    commands = [t.name for t in TOPICS if t.way == "from PEMS"]
    for topic in commands:
        name = topic.format(room="hall", command="list")
        assert not any(_matches(pattern, name) for pattern in SUBSCRIPTIONS if name != "pems/status")
    with Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        for topic in ("loxone/heating/hall/set", "energy/solar/command/list", "pems/heartbeat"):
            link.send(topic)
        until(lambda: link.snapshot["unheard"] >= 3, "sent")
    with Peer(broker.url, "#") as late:
        until(lambda: late.payloads("pems/status"), "what is retained arrives")
        assert {m.topic for m in late.heard if m.retained} == {"pems/status"}


def test_retained_messages_come_with_their_flag_and_live_ones_without(broker: Broker) -> None:
    with Peer(broker.url, retained=("energy/solar/result",)) as stick:
        stick.say("energy/solar/result", b"old")
        until(lambda: stick.client.counters.unheard == 1, "kept by the broker")
        with Link(Mqtt(url=broker.url)) as link:
            link.wait_up()
            until(lambda: link.of(Incoming), "the old answer")
            stick.say("energy/solar/result", b"new")
            until(lambda: len(link.of(Incoming)) == 2, "the new one")
            assert [(m.payload, m.retained) for m in link.of(Incoming)] == [(b"old", True), (b"new", False)]


def _matches(pattern: str, topic: str) -> bool:
    want, have = pattern.split("/"), topic.split("/")
    for i, part in enumerate(want):
        if part == "#":
            return True
        if i >= len(have) or part not in ("+", have[i]):
            return False
    return len(want) == len(have)


def test_where_a_broker_is_promised_its_absence_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.actors.links.broker.MOSQUITTO", None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="mosquitto is not installed"):
        need_mosquitto()
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="mosquitto is not installed"):
        need_mosquitto()
    assert os.environ["CI"] == ""
