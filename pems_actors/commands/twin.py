"""`twin`: the house's twin on a broker, for `run --link mqtt://...` and for whoever wants to try a device program."""

from __future__ import annotations

import signal
import sys
import threading
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from config.load import load
from config.schema import HouseFile
from config.secrets import secret
from models.errors import ConfigError, LinkError
from models.types.mqtt import PASSWORD, Mqtt, broker_at
from pems_actors.arguments import day, duration_s, within
from pems_actors.commands.options import DEMO_HOUSE, Config, Json

_OPTIONS = {"mqtt.url": "--broker", "mqtt.user": "--user", "mqtt.ca_file": "--ca", "mqtt.name": "end the other twin"}
FAULTS = ("slow", "lost", "stale", "liar", "offline")
_HELP = """Put the twin of a house on an MQTT broker: inverter, Loxone, rooms and meter, in recorded weather.

It speaks the topics of docs/mqtt.md and tells its time on `pems-twin/clock`; `run --link mqtt://...` follows it. The
password of `--user` is the secret `mqtt_password` (PEMS_MQTT_PASSWORD). Ctrl-C ends it.

For example:

```text
twin --broker mqtt://127.0.0.1:1883 --speed 60     the demo house, a day in 24 minutes
twin --faults slow,lost --for 5m                   answers late, or not at all
twin --json                                        one line of JSON per event
```

Faults: `slow` answers in 5 to 10 s, `lost` loses 3 of 10 commands, `stale` repeats its last answer and freezes its
telemetry under fresh stamps, `liar` says success and does nothing, `offline` is away half of each minute.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP, short_help="The twin of a house on an MQTT broker.")
    def twin(
        broker: Annotated[
            str, typer.Option(metavar="URL", help="mqtt://host:1883, or mqtts://host:8883 with TLS.")
        ] = "mqtt://127.0.0.1:1883",
        config: Config = DEMO_HOUSE,
        start: Annotated[
            str | None, typer.Option(metavar="DAY", help="First local day.", show_default="run.start of the house file")
        ] = None,
        speed: Annotated[float, typer.Option(help="House seconds per real second.")] = 1.0,
        faults: Annotated[str | None, typer.Option(metavar="LIST", help=f"Some of {','.join(FAULTS)}.")] = None,
        for_: Annotated[
            str | None, typer.Option("--for", metavar="TIME", help="End after this long, in real time: 90s, 2m, 1h.")
        ] = None,
        user: Annotated[str | None, typer.Option(help="Of the broker; the password is a secret.")] = None,
        ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Who signed the broker's certificate.")] = None,
        json_: Json = False,
    ) -> None:
        for_s = None if for_ is None else duration_s("--for", for_)
        first = None if start is None else day("--start", start)
        within("--speed", speed, 1.0, 3600.0)
        chosen = _faults(faults)
        settings = _settings(broker, user, ca)
        house = load(config)
        _run(house, settings, first or house.run.start, speed, chosen, for_s, json_)


def _faults(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise ConfigError(f"--faults {text!r}: {unknown[0]!r} is none", hint=f"a list of {', '.join(FAULTS)}")
    return names


def _settings(broker: str, user: str | None, ca: Path | None) -> Mqtt:
    from actors.links.mqtt_words import tls_context

    try:
        broker_at(broker)
    except ValueError as error:
        raise ConfigError(f"--broker {error}") from None
    settings = Mqtt(url=broker, user=user, ca_file=ca, name="twin")
    try:
        tls_context(settings)  # a bad certificate file is told now
    except ConfigError as error:
        raise ConfigError(_as_options(str(error))) from None
    return settings


def _run(
    house: HouseFile,
    settings: Mqtt,
    first: date | None,
    speed: float,
    faults: tuple[str, ...],
    for_s: float | None,
    json_: bool,
) -> None:
    from pems_actors.simulation.world import Recorded
    from pems_actors.twin_process import TwinProcess, json_teller

    if first is None:
        raise ConfigError("no day to start with", hint="add run.start to the house file or say --start 2021-02-08")
    password = secret(PASSWORD, house.secrets.dir)
    if settings.user is None and password is not None:
        raise ConfigError(f"the secret {PASSWORD} is set, but no user", hint="say whose it is: --user NAME")
    bare = house.model_copy(
        update={"simulation": house.simulation.model_copy(update={"warmup_days": 0, "tail_h": 0})}
    )
    recorded = Recorded.of(bare, house.simulation.seed)
    _, begin, _ = recorded.begins(first, bare, 1)
    tell = json_teller(_line) if json_ else Lines(ZoneInfo(house.house.site.timezone))
    process = TwinProcess(
        house, recorded.world(), settings, password=password, start=begin, speed=speed, faults=faults, tell=tell
    )
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    tell("begins", broker=str(settings.broker), house_time=begin.isoformat(), speed=speed, faults=list(faults))
    try:
        process.run(over, for_s)
    except LinkError as error:
        raise LinkError(_as_options(str(error))) from None
    tell("ends", **process.state())


def _as_options(text: str) -> str:
    """The settings that a reason names, as they are called here."""
    for setting, option in _OPTIONS.items():
        text = text.replace(setting, option)
    return text


def _line(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class Lines:
    """Events as people read them."""

    def __init__(self, zone: ZoneInfo, console: Console | None = None) -> None:
        self._zone = zone
        self._out = console or Console(soft_wrap=True, highlight=False)

    def __call__(self, event: str, **fields: Any) -> None:
        """Print one line."""
        text, style = self._words(event, fields)
        self._out.print(Text(text, style=style))

    def _words(self, event: str, f: dict[str, Any]) -> tuple[str, str]:
        match event:
            case "begins":
                at = datetime.fromisoformat(f["house_time"]).astimezone(self._zone)
                faults = f"; faults: {', '.join(f['faults'])}" if f["faults"] else ""
                return f"twin on {f['broker']} from {at:%a %d %b %Y} on, {f['speed']:g} times real time{faults}", "bold"
            case "state":
                return self._state(f), ""
            case "ends":
                return self._state(f | {"link": True}), "bold"
            case "command":
                return f"  <- {f['topic']} {f['payload']}", "cyan"
            case "ignored":
                return f"  <- {f['topic']} not followed: {f['why']}", "yellow"
            case "fault":
                return f"  fault {f['name']} {'begins' if f['active'] else 'ends'}", "yellow"
            case "link":
                return ("  link up", "green") if f["up"] else (f"  link down: {f['reason']}", "red")
            case "alarm":
                return (f"  {f['text']}", "red") if f["active"] else (f"  {f['name']} is over", "green")
            case _:
                return f"  {event} {f}", ""

    @staticmethod
    def _state(f: dict[str, Any]) -> str:
        at = datetime.fromisoformat(f["house_time"])
        soc = "no battery" if f["soc"] is None else f"SOC {f['soc'] * 100:.0f} %"
        return (
            f"{at:%a %H:%M}  {soc}  {f['mode']}  PV {f['pv_kw']:.2f}  load {f['load_kw']:.2f}  "
            f"battery {f['battery_kw']:+.2f}  grid {f['grid_kw']:+.2f} kW  {f['rooms_heating']} rooms heat  "
            f"{f['commands']} commands, {f['refused']} refused"
            + ("  Loxone alone" if f["alone"] else "")
            + ("" if f["link"] else "  link down")
        )
