"""The actor of a service: what is known is told, a failure once, and it asks in its own time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from actors.feeds.services.actor import price_feed, pv_feed, weather_feed
from actors.feeds.services.types import (
    INPUTS_PORT,
    PricesAnswer,
    PricesRequest,
    PvAnswer,
    PvKnown,
    PvRequest,
    PvSeries,
    WeatherAnswer,
    WeatherRequest,
)
from actors.messages import Alarm, PricesKnown, WeatherKnown
from actors.runtime import FunctionWorker, Port, Started, WorkerDone
from models.errors import DataError
from models.types.forecast import PriceSeries
from models.types.services import PriceService, PvService, WeatherService
from models.types.slots import local_midnight
from tests.actors.devices.bench import START, Bench
from tests.actors.planning.plans import weather

PRAGUE = ZoneInfo("Europe/Prague")
PATH = "/io/prices"
TEN = datetime(2021, 2, 8, 9, tzinfo=UTC)  # 10:00 local


class Inputs:
    """The worker, played."""

    def __init__(self) -> None:
        self.asked: list[datetime] = []
        self.published_at = datetime(2021, 2, 8, 11, 58, tzinfo=UTC)  # 12:58 local
        self.slots_of_tomorrow = 96
        self.trouble = ""
        self.broken: Exception | None = None
        self.answer: Callable[[object], object] | None = None

    def prices(self, request: object) -> object:
        assert isinstance(request, PricesRequest)
        self.asked.append(request.now)
        if self.broken is not None:
            raise self.broken
        if self.answer is not None:
            return self.answer(request)
        out = request.now >= self.published_at
        today = local_midnight(request.now.astimezone(PRAGUE).date(), PRAGUE)
        values = (0.1,) * 96 + ((0.2,) * self.slots_of_tomorrow if out else ())
        issued = self.published_at if out else today
        series = PriceSeries(issued=issued, source="X", start=today, dt_s=900.0, spot_eur_per_kwh=values)
        return PricesAnswer(series=series, trouble=self.trouble)


def a_bench(inputs: Inputs, *, duration_s: float = 2.0) -> Bench:
    bench = Bench(
        {
            INPUTS_PORT: lambda: Port(lambda: FunctionWorker({"prices": inputs.prices}, duration_s)),
            PATH: lambda: price_feed(PriceService()),
        },
        events=(PricesKnown, Alarm),
        start=TEN,
    )
    bench.start()
    return bench


def local_times(times: list[datetime]) -> list[str]:
    return [f"{t.astimezone(PRAGUE):%H:%M}" for t in times]


def snapshot(bench: Bench) -> dict[str, object]:
    return bench.runtime.behaviour_snapshot(PATH)


def test_it_asks_at_its_start_every_quarter_hour_and_in_a_hurry_when_tomorrow_is_due() -> None:
    inputs = Inputs()
    bench = a_bench(inputs)
    bench.run(4 * 3600)
    times = local_times(inputs.asked)
    assert times[:3] == ["10:00", "10:15", "10:30"] and "12:45" in times
    hurried = [t for t in times if "12:45" <= t < "13:05"]
    assert hurried == ["12:45", "12:48", "12:51", "12:54", "12:57", "13:00"], "until it was published at 12:58"
    assert [t for t in times if t > "13:00"] == ["13:15", "13:30", "13:45"]
    assert bench.of(PricesKnown)[-1].prices.end == local_midnight(datetime(2021, 2, 10).date(), PRAGUE)
    assert bench.of(Alarm) == []


def test_a_tomorrow_in_parts_is_told_as_far_as_known_and_is_an_alarm_only_after_three() -> None:
    inputs = Inputs()
    inputs.slots_of_tomorrow = 48
    bench = a_bench(inputs)
    bench.run(4.9 * 3600)
    assert len(bench.of(PricesKnown)[-1].prices.spot_eur_per_kwh) == 96 + 48 and bench.of(Alarm) == []
    bench.run(0.5 * 3600)
    (alarm,) = bench.of(Alarm)
    assert alarm.name == "feed:prices" and "48 of 96 quarter hours of 2021-02-09 known at 15:0" in alarm.text
    inputs.slots_of_tomorrow = 96
    bench.run(1000)
    assert bench.alarms("feed:prices") == [True, False]


def test_a_failure_is_said_once_and_its_end_once_while_the_last_series_stays() -> None:
    inputs = Inputs()
    bench = a_bench(inputs)
    bench.run(60)
    before = bench.of(PricesKnown)[-1]
    inputs.broken = DataError("no prices of 2021-02-08: OTE: HTTP 500")
    bench.run(3 * 3600)
    assert bench.alarms("feed:prices") == [True]
    assert "no prices of 2021-02-08: OTE: HTTP 500" in bench.of(Alarm)[0].text
    assert snapshot(bench)["failing"] is True and bench.of(PricesKnown)[-1] == before
    bench.publish(Started(path="/plan/planner", incarnation=2))
    assert bench.of(PricesKnown)[-1] == before
    inputs.broken = None
    bench.run(1000)
    assert bench.alarms("feed:prices") == [True, False] and snapshot(bench)["failures"] == 0


def test_what_is_known_is_told_although_there_is_trouble() -> None:
    inputs = Inputs()
    inputs.trouble = "OTE: HTTP 500 (told by energy-charts instead)"
    bench = a_bench(inputs)
    bench.run(10)
    assert len(bench.of(PricesKnown)) >= 1 and bench.of(Alarm)[0].text == inputs.trouble
    assert snapshot(bench)["trouble"] == inputs.trouble


def test_failures_back_off() -> None:
    inputs = Inputs()
    inputs.broken = DataError("closed")
    bench = a_bench(inputs, duration_s=0.0)
    bench.run(2 * 3600)
    gaps = [(b - a).total_seconds() for a, b in zip(inputs.asked, inputs.asked[1:], strict=False)]
    assert gaps == [60.0, 120.0, 240.0, 480.0, *[900.0] * (len(gaps) - 4)]


@pytest.mark.parametrize("value", [None, "prices", 5, {"series": []}])
def test_an_answer_that_is_none_is_a_failure(value: object) -> None:
    inputs = Inputs()
    inputs.answer = lambda _: value
    bench = a_bench(inputs)
    bench.run(10)
    assert bench.of(PricesKnown) == [] and "answered prices with" in bench.of(Alarm)[0].text


def test_an_answer_to_a_question_of_a_former_life_is_passed_over() -> None:
    inputs = Inputs()
    bench = a_bench(inputs)
    bench.run(10)
    told = len(bench.of(PricesKnown))
    stale = PriceSeries(issued=START, source="old", start=START, dt_s=900.0, spot_eur_per_kwh=(9.0,))
    bench.tell(PATH, WorkerDone(id="prices-0.9-1", method="prices", value=PricesAnswer(series=stale), took_s=0.0))
    assert len(bench.of(PricesKnown)) == told and snapshot(bench)["source"] == "X"


def test_a_worker_that_hangs_past_its_deadline_is_a_failure_and_is_asked_again() -> None:
    inputs = Inputs()
    bench = a_bench(inputs, duration_s=500.0)
    bench.run(400)
    assert "not done within 120 s" in bench.of(Alarm)[0].text and len(inputs.asked) >= 2


def test_a_port_that_is_not_there_is_an_alarm_and_is_asked_again() -> None:
    bench = Bench({PATH: lambda: price_feed(PriceService())}, events=(Alarm,), start=TEN)
    bench.start()
    bench.run(1000)
    assert [a.text for a in bench.of(Alarm)] == ["/io/inputs does not answer"]
    failures = snapshot(bench)["failures"]
    assert isinstance(failures, int) and failures >= 3


def test_a_new_life_asks_at_once() -> None:
    inputs = Inputs()
    bench = a_bench(inputs)
    bench.run(10)
    bench.runtime.restart(PATH)
    bench.run(10)
    assert len(inputs.asked) == 2


def test_weather_and_pv_go_the_same_way_at_their_own_pace() -> None:
    asked: list[str] = []

    def weather_(request: object) -> object:
        assert isinstance(request, WeatherRequest)
        asked.append("weather")
        return WeatherAnswer(series=replace(weather(), issued=TEN))

    def pv(request: object) -> object:
        assert isinstance(request, PvRequest)
        asked.append("pv")
        return PvAnswer(series=PvSeries(issued=TEN, source="Y", start=TEN, dt_s=1800.0, pv_kw=(1.0,)))

    bench = Bench(
        {
            INPUTS_PORT: lambda: Port(lambda: FunctionWorker({"weather": weather_, "pv": pv})),
            "/io/weather": lambda: weather_feed(WeatherService()),
            "/io/pv": lambda: pv_feed(PvService()),
        },
        events=(WeatherKnown, PvKnown, Alarm),
        start=TEN,
    )
    bench.start()
    bench.run(6.5 * 3600)
    assert asked.count("weather") == 7 and asked.count("pv") == 3
    assert bench.of(WeatherKnown)[-1].weather.issued == TEN and bench.of(PvKnown)[-1].pv.pv_kw == (1.0,)
    assert bench.alarms("feed:weather") == [] and bench.alarms("feed:pv") == []
    bench.run(2 * 3600)
    assert bench.alarms("feed:weather") == [True] and "limit 6 h" in bench.of(Alarm)[0].text


def test_the_core_imports_no_http_client_and_no_numpy() -> None:
    code = (
        "import sys; import actors.feeds.services.actor, actors.feeds.services.types, models.types.services; "
        "print([m for m in ('httpx', 'httpcore', 'numpy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_time_lag_of_the_answer_does_not_shift_the_hurry() -> None:
    inputs = Inputs()
    inputs.published_at = TEN + timedelta(days=1)
    bench = a_bench(inputs, duration_s=20.0)
    bench.run(3.5 * 3600)
    assert "12:45" in local_times(inputs.asked)
