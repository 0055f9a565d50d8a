"""docs/mqtt.md, written from the tables that the code itself works with: `python -m pems_actors.mqtt_docs`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from actors.devices.growatt import (
    COMMAND_TOPIC,
    RESULT_TOPIC,
    TELEMETRY_TOPIC,
    Write,
    export_writes,
    mode_writes,
    parse_telemetry,
    target_of,
)
from actors.links.topics import CLOCK_TOPIC, TOPICS
from actors.links.twin_clock import clock_message
from config.example import default_of, range_of, toml
from config.load import DEMO, load
from models.twins.house import HouseTwin
from models.twins.world import World
from models.types.loxone import HEARTBEAT, RELAY_SET, RELAY_STATUS, SETPOINT_SET, TEMPERATURE
from models.types.mode import TRADING, InverterMode
from models.types.mqtt import PASSWORD, Mqtt

PATH = Path(__file__).resolve().parent.parent / "docs" / "mqtt.md"
ROOM = "obyvak"
NOON = datetime(2021, 2, 8, 11, 0, tzinfo=UTC)

_HEAD = """# MQTT

One broker stands between PEMS, the inverter's stick and Loxone. PEMS speaks MQTT 5; mosquitto does from 1.6 on. This
page is written by `python -m pems_actors.mqtt_docs` from the tables that the code works with.

```text
mosquitto -p 1883                                                        a broker to try with
python -m pems_actors twin --broker mqtt://127.0.0.1:1883 --speed 60     a house on it
```

## Topics
"""

_TAIL = """
## What the link promises

- **Nothing old is sent.** One slot per point: the latest wish replaces what waits, each ends with its time to live, and
  the broker drops it too (message expiry; whole seconds, at least one). What a lost connection had not confirmed is
  sent again while it is valid and nothing newer is wished; a device sees the same setting twice then.
- **Sent is not applied.** The broker's receipt says nothing about the device: only its own state proves. What nobody
  subscribes to is said again every 0.2 s while it is valid, so a device that comes back later than PEMS still hears it.
- **Nothing retained is an order.** PEMS subscribes to no command topic, retains no command, drops retained results and
  tells devices which messages were retained.
- **Nothing is lost silently.** Of topics that tell a state the latest is handed on, in the order of arrival, at most
  every 20 ms; each one that was replaced is counted. Results are all handed on.
- **A connection is used once.** A lost one is cut and replaced by a new client; the first try comes at once, then after
  0.1 s doubling to 2 s (times 0.4 to 0.8); refused by user or certificate 1 to 5 s; thrown out by a namesake 5 to 60 s.
- **TLS is checked**: signer, date and name; there is no way back to plain.

## Alarms

| name | what happened |
|---|---|
| `mqtt` | no connection, and why: nobody there, refused, certificate, silent, broken |
| `mqtt_takeover` | another client uses our id, or something closes our connection again and again |
| `mqtt_forbidden` | the broker does not let us write a topic |
| `mqtt_unheard` | nobody has listened to a command for 5 s: the device is not connected |
| `mqtt_clock` | the twin that is followed does not live in our time any more |
| `mqtt_words` | a message cannot be said or understood with the names and words of [loxone] |

A topic that may not be *read* keeps the link down, with the topic in its reason; mosquitto's own ACL file, though, lets
everybody subscribe and then says nothing. mosquitto 2.0.11 does not say why it closes: a namesake is told after four
connections closed in a row, each within 10 s.

## The broker

```text
listener 1883
password_file /etc/mosquitto/passwd
acl_file /etc/mosquitto/acl          # user pems: read energy/# loxone/#, write energy/solar/command/# loxone/# pems/#
persistence false                    # PEMS needs none: it asks anew for everything
```

A broker that was frozen for longer than a command's time to live may still deliver what it had received before: the
time a message spends unread in its socket does not count as age. A slot of the inverter ends by its own clock, a relay
by Loxone's heartbeat; both bound what such a message can do.
"""


def text() -> str:
    """The whole page."""
    parts = [_HEAD, *_topics(), "## Commands of the inverter\n", *_commands(), "\n## Settings: [mqtt]\n"]
    return "\n".join([*parts, *_settings(), _TAIL])


def _topics() -> Iterator[str]:
    payloads = examples()
    for way in ("to PEMS", "from PEMS", "from the twin"):
        yield f"### {way[0].upper()}{way[1:]}\n"
        yield "| topic | retained | says |\n|---|---|---|"
        for topic in TOPICS:
            if topic.way == way:
                yield f"| `{topic.name}` | {'yes' if topic.retained else 'no'} | {topic.says} |"
        yield ""
        for topic in TOPICS:
            if topic.way == way:
                yield f"`{topic.name}`\n\n```json\n{payloads[topic.name]}\n```\n"


def examples() -> Mapping[str, str]:
    """One payload of each topic: those to PEMS as the twin says them, those from PEMS as its devices do."""
    said = _said_by_the_twin()
    command = _writes()[0]
    body = json.dumps({**command.body, "correlationId": "pems-12.1-7"})
    own = {
        COMMAND_TOPIC + "{command}": body,
        RELAY_SET: json.dumps({"state": "on"}),
        SETPOINT_SET: json.dumps({"target_temperature": 21.5, "unit": "celsius"}),
        HEARTBEAT: json.dumps({"beat": 41, "boot": 12}),
        str(default_of(Mqtt.model_fields["status_topic"])): json.dumps({"online": True}),
        CLOCK_TOPIC: clock_message(NOON, 60.0).decode(),
    }
    names = {RELAY_STATUS: RELAY_STATUS.format(room=ROOM), TEMPERATURE: TEMPERATURE.format(room=ROOM)}
    return own | {t.name: said[names.get(t.name, t.name)] for t in TOPICS if t.way == "to PEMS"}


def _said_by_the_twin() -> dict[str, str]:
    """The last message of each topic of two rooms on a winter noon, after one command."""
    house = load(DEMO).house
    house = house.model_copy(update={"rooms": tuple(r for r in house.rooms if r.name in (ROOM, "pracovna"))})
    n = 96
    world = World(NOON - timedelta(hours=1), 900.0, [2.0] * n, [250.0] * n, [90.0] * n, [400.0] * n, [2.0] * n,
                  [0.8] * n, site=house.site)  # fmt: skip
    twin = HouseTwin(house, world, start=NOON, seed=1)
    twin.publish(COMMAND_TOPIC + "batteryfirst/set/stopsoc", b'{"value":90,"correlationId":"pems-12.1-7"}', NOON)
    return {m.topic: m.payload.decode() for m in twin.advance(NOON + timedelta(seconds=60))}


def _writes() -> list[Write]:
    """Every command that a mode or the feed-in limit can need."""
    live = parse_telemetry(_said_by_the_twin()[TELEMETRY_TOPIC].encode(), NOON)[1]
    assert live is not None
    clock, until = datetime(2021, 2, 8, 12, 0), datetime(2021, 2, 8, 13, 30)  # noqa: DTZ001 - the inverter's own
    found: dict[str, Write] = {}
    for composite in TRADING:
        mode = InverterMode(composite=composite, stop_soc=0.7, rate=0.4)
        for write in mode_writes(target_of(mode, 0.5), until, clock, live):
            found.setdefault(write.command, write)
    free = replace(live, export_limited=False)
    for write in (*export_writes(3.0, 10.0, 10.0, live), *export_writes(3.0, 10.0, 10.0, free)):
        found.setdefault(write.command, write)
    return list(found.values())


def _commands() -> Iterator[str]:
    yield f"Below `{COMMAND_TOPIC}`; each carries a `correlationId`, which comes back on `{RESULT_TOPIC}`."
    yield "Others that the stick knows stand in docs/growatt.md; PEMS sends these.\n"
    yield "| command | body |\n|---|---|"
    for write in _writes():
        yield f"| `{write.command}` | `{json.dumps(dict(write.body))}` |"


def _settings() -> Iterator[str]:
    yield f"The password of `user` is the secret `{PASSWORD}`: the variable `PEMS_{PASSWORD.upper()}`, or a file of"
    yield "that name in [secrets] dir. It has no place in the house file, nor in the address.\n"
    yield "| setting | default | range | |\n|---|---|---|---|"
    for name, field in Mqtt.model_fields.items():
        default = default_of(field)
        shown = "none" if default is None else f"`{toml(default)}`"
        yield f"| `{name}` | {shown} | {range_of(field)} | {field.description} |"


def main() -> None:
    """Write the page."""
    PATH.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
