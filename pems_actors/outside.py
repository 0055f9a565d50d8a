"""What joins a house to the world outside: the wires to its devices, and where prices and weather come from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from actors.feeds.actor import Feed
from actors.links.twin import TwinLink
from actors.messages import PricesKnown, WeatherKnown
from actors.runtime import Behaviour, ChildSpec, Clock, Port, Worker
from config.schema import HouseFile
from config.secrets import secret
from models.types.forecast import PriceSeries, WeatherForecast
from models.types.mqtt import PASSWORD, Mqtt

PriceFeed = Callable[[], Callable[[datetime], PriceSeries]]
WeatherFeed = Callable[[], Callable[[datetime], WeatherForecast]]
FOR_EVER = 1_000_000  # links try again for ever


def replay(
    config: HouseFile,
    *,
    twin: Callable[[], Worker],
    prices: PriceFeed,
    weather: WeatherFeed,
    quick: bool,
) -> tuple[ChildSpec, ...]:
    """A house of recorded days: its twin in memory, and what was known at the time.

    `quick` is for virtual time: the wire looks for an answer when it may be there.
    """
    return (*twin_wire(config, twin, quick=quick), *recorded_feeds(prices, weather))


def twin_wire(config: HouseFile, twin: Callable[[], Worker], *, quick: bool) -> tuple[ChildSpec, ...]:
    """The in-memory wire to the twin of the house, a worker process."""
    timing = config.timing
    return (
        _child("twin", lambda: Port(twin)),
        _link("link", lambda: TwinLink(tick_s=timing.gate_tick_s, deadline_s=timing.answer_s * 5, quick=quick)),
    )


def mqtt_wires(config: HouseFile, mqtt: Mqtt, clock: Clock | None = None) -> tuple[ChildSpec, ...]:
    """The broker, and beside it Loxone's UDP where the house has that; `clock` is watched if it follows a twin."""
    # a house with its twin in memory never loads these: some megabytes less on a small box
    from actors.links.loxone_names import LoxoneNames
    from actors.links.loxone_udp import CARRIES, LoxoneUdp
    from actors.links.mqtt import MqttLink
    from actors.links.router import LinkRouter
    from actors.links.twin_clock import TwinClock

    twin = clock if isinstance(clock, TwinClock) else None
    loxone = config.loxone
    password = secret(PASSWORD, config.secrets.dir)
    names = LoxoneNames([room.name for room in config.rooms], loxone)
    if loxone.via == "mqtt":
        return (_link("link", lambda: MqttLink(mqtt, password, names=names, twin=twin)),)
    routes = {"": "/io/mqtt", **dict.fromkeys(CARRIES, "/io/loxone")}
    rooms, tick_s = [room.name for room in config.rooms], config.timing.gate_tick_s
    return (
        _link("mqtt", lambda: MqttLink(mqtt, password, names=names, twin=twin, carries=("energy/",))),
        _link("loxone", lambda: LoxoneUdp(rooms, loxone, tick_s=tick_s)),
        _link("link", lambda: LinkRouter(routes)),
    )


def recorded_feeds(prices: PriceFeed, weather: WeatherFeed) -> tuple[ChildSpec, ...]:
    """What was known on recorded days."""
    return (
        _child("prices", lambda: Feed("prices", prices, lambda p: PricesKnown(prices=p), every_s=300.0)),
        _child("weather", lambda: Feed("weather", weather, lambda w: WeatherKnown(weather=w), every_s=900.0)),
    )


def services(config: HouseFile, inputs: Callable[[], Worker]) -> tuple[ChildSpec, ...]:
    """What services say, asked by a worker of its own."""
    from actors.feeds.services.actor import price_feed, pv_feed, weather_feed

    prices, weather, pv = config.prices, config.weather, config.pv_forecast
    assert prices is not None and weather is not None
    asked = (
        _child("inputs", lambda: Port(inputs)),
        _child("prices", lambda: price_feed(prices)),
        _child("weather", lambda: weather_feed(weather)),
    )
    return asked if pv is None else (*asked, _child("pv", lambda: pv_feed(pv)))


def _child(name: str, make: Callable[[], Behaviour]) -> ChildSpec:
    return ChildSpec(id=name, make=make, on_give_up="park")


def _link(name: str, make: Callable[[], Behaviour]) -> ChildSpec:
    return ChildSpec(id=name, make=make, on_give_up="park", intensity=FOR_EVER)
