"""Asking a service: what passes is tried again, what does not is told in one line, and nothing goes on for ever."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from actors.feeds.services.http import HIDDEN, Http, HttpLimits, Refused
from models.errors import ConfigError, LinkError
from tests.actors.feeds.services.server import Reply, Service, a_client

TOKEN = "s3cret-token-1234"


def test_a_plain_answer_is_one_request_that_says_who_asks(service: Service, http: Http, waits: list[float]) -> None:
    service.say(b"hello")
    assert http.get(f"{service.url}/price?a=1", source="X", params={"b": "2"}) == b"hello"
    (asked,) = service.asked
    assert asked.path == "/price" and asked.query == {"a": "1", "b": "2"}
    assert asked.headers["user-agent"].startswith("pems") and waits == []


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_what_may_pass_is_tried_again_after_growing_waits(
    service: Service, http: Http, waits: list[float], status: int
) -> None:
    refused = Reply(b"", status, {"Retry-After": "0"} if status == 429 else {})
    service.say(refused, refused, b"here")
    assert http.get(service.url, source="X") == b"here"
    assert len(waits) == 2
    if status != 429:
        assert 0.5 <= waits[0] <= 1.5 and 1.0 <= waits[1] <= 3.0


def test_what_lasts_is_told_after_three_tries(service: Service, http: Http) -> None:
    service.say(Reply(b"", 500))
    with pytest.raises(Refused, match="X: 127.0.0.1 answered HTTP 500") as caught:
        http.get(service.url, source="X")
    assert caught.value.status == 500 and len(service.asked) == 3


@pytest.mark.parametrize(
    ("status", "says"), [(401, "check the token"), (404, "nothing is published"), (400, "settings")]
)
def test_what_will_not_pass_is_asked_only_once(service: Service, http: Http, status: int, says: str) -> None:
    service.say(Reply(b"why", status))
    with pytest.raises(Refused, match=says) as caught:
        http.get(service.url, source="X")
    assert caught.value.body == b"why" and len(service.asked) == 1


def test_retry_after_is_waited_for(service: Service, http: Http, waits: list[float]) -> None:
    service.say(Reply(b"", 429, {"Retry-After": "7"}), b"here")
    assert http.get(service.url, source="X") == b"here" and waits == [7.0]


def test_retry_after_may_be_a_date(service: Service, waits: list[float]) -> None:
    now = datetime(2026, 6, 14, 12, tzinfo=UTC)
    http = Http(HttpLimits(), sleep=waits.append, now=lambda: now)
    service.say(Reply(b"", 503, {"Retry-After": format_datetime(now + timedelta(seconds=9), usegmt=True)}), b"here")
    assert http.get(service.url, source="X") == b"here" and waits == [9.0]


@pytest.mark.parametrize("header", ["300", None])
def test_a_service_that_wants_minutes_is_left_alone_for_so_long(service: Service, header: str | None) -> None:
    at = [1000.0]
    waits: list[float] = []
    http = Http(HttpLimits(), sleep=waits.append, monotonic=lambda: at[0])
    service.say(Reply(b"", 429, {} if header is None else {"Retry-After": header}), b"here")
    with pytest.raises(Refused, match="HTTP 429"):
        http.get(service.url, source="X")
    with pytest.raises(Refused, match="asked us to wait"):
        http.get(service.url, source="X")
    assert len(service.asked) == 1 and waits == []
    at[0] += 301.0
    http.begin()
    assert http.get(service.url, source="X") == b"here"


@pytest.mark.parametrize("header", ["soon", "-5", "1e9", "9" * 400, "Sun, 99 Foo 2026"])
def test_a_strange_retry_after_does_no_harm(service: Service, header: str) -> None:
    service.say(Reply(b"", 503, {"Retry-After": header}), b"here")
    http = a_client()
    try:
        assert http.get(service.url, source="X") == b"here"
    except Refused as error:
        assert error.status == 503


def test_a_body_of_32_mb_is_refused_and_not_asked_for_again(service: Service, http: Http) -> None:
    service.say(Reply(b"x" * (32 * 2**20)))
    with pytest.raises(Refused, match="larger than 4 MB"):
        http.get(service.url, source="X")
    assert len(service.asked) == 1


def test_a_small_packed_body_that_unfolds_to_32_mb_is_refused(service: Service, http: Http) -> None:
    service.say(Reply(gzip.compress(b"\0" * (32 * 2**20)), headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="larger than 4 MB"):
            http.get(service.url, source="X")
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20, "and is not unfolded in memory before"
    finally:
        tracemalloc.stop()


def test_a_packed_body_is_unpacked_and_half_of_one_is_refused(service: Service, http: Http) -> None:
    packed = gzip.compress(b"hello " * 1000)
    service.say(Reply(packed, headers={"Content-Encoding": "gzip"}))
    assert http.get(service.url, source="X") == b"hello " * 1000
    service.say(Reply(packed[:-9], headers={"Content-Encoding": "gzip"}))
    with pytest.raises(LinkError, match="not whole gzip"):
        http.get(service.url, source="X")
    service.say(Reply(b"no gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(LinkError, match="not whole gzip"):
        http.get(service.url, source="X")
    service.say(Reply(b"", headers={"Content-Encoding": "br"}))
    with pytest.raises(LinkError, match="'br' was not asked for"):
        http.get(service.url, source="X")


def test_a_body_that_ends_early_is_no_answer(service: Service, http: Http) -> None:
    service.say(Reply(b"half", cut=True))
    with pytest.raises(LinkError, match="cannot be reached"):
        http.get(service.url, source="X")


def test_a_slow_answer_is_given_up(service: Service) -> None:
    service.say(Reply(b"late", stall=service.release))
    http = a_client(read_s=0.05)
    with pytest.raises(LinkError, match="ReadTimeout"):
        http.get(service.url, source="X")
    assert len(service.asked) == 3


def test_nobody_there_is_told_with_the_host(service: Service, http: Http) -> None:
    url = service.url
    service.close()
    with pytest.raises(LinkError, match=r"X: 127\.0\.0\.1 cannot be reached \(ConnectError"):
        http.get(url, source="X")


def test_all_requests_of_a_call_share_its_time(service: Service) -> None:
    at = [0.0]

    def sleep(seconds: float) -> None:
        at[0] += seconds

    http = Http(HttpLimits(call_s=10.0, tries=50), sleep=sleep, monotonic=lambda: at[0])
    http.begin()
    service.say(Reply(b"", 500))
    with pytest.raises(Refused):
        http.get(service.url, source="X")
    assert at[0] < 10.0 and len(service.asked) < 8


def test_redirects_are_followed_a_few_times_but_not_to_another_scheme(service: Service, http: Http) -> None:
    service.say(Reply(b"", 302, {"Location": "/there"}), b"here")
    assert http.get(f"{service.url}/here", source="X") == b"here"
    assert service.asked[-1].path == "/there"
    service.say(Reply(b"", 302, {"Location": "file:///etc/passwd"}))
    with pytest.raises(LinkError, match="redirected from http to file"):
        http.get(service.url, source="X")
    service.say(Reply(b"", 301, {"Location": "/again"}))
    with pytest.raises(LinkError, match="more than 3 redirects"):
        http.get(service.url, source="X")
    service.say(Reply(b"", 301))
    with pytest.raises(LinkError):
        http.get(service.url, source="X")


def test_a_token_stands_in_no_error(service: Service) -> None:
    http = a_client(secrets=(TOKEN,))
    service.say(Reply(b"", 302, {"Location": f"ftp://{TOKEN}.example/"}))
    with pytest.raises(LinkError) as caught:
        http.get(service.url, source="X", params={"securityToken": TOKEN})
    assert TOKEN not in str(caught.value) and service.asked[0].query["securityToken"] == TOKEN
    with pytest.raises(LinkError) as caught:
        http.get(f"https://{TOKEN}.invalid/{TOKEN}", source="X")
    assert TOKEN not in str(caught.value) and HIDDEN in str(caught.value)


def test_a_token_never_leaves_the_machine_unencrypted() -> None:
    http = a_client(secrets=(TOKEN,))
    with pytest.raises(ConfigError, match="plain http to prices.example"):
        http.get("http://prices.example/api", source="X", headers={"Authorization": f"Bearer {TOKEN}"})


def test_a_token_in_a_header_does_not_follow_to_another_host(service: Service) -> None:
    http = a_client(secrets=(TOKEN,))
    other = service.url.replace("127.0.0.1", "localhost")
    service.say(Reply(b"", 302, {"Location": f"{other}/there"}), b"here")
    assert http.get(service.url, source="X", headers={"Authorization": f"Bearer {TOKEN}"}) == b"here"
    assert "authorization" in service.asked[0].headers and "authorization" not in service.asked[1].headers


def test_a_token_stands_in_no_text_in_the_form_of_addresses_either() -> None:
    http = a_client(secrets=("a b/c+d",))
    assert http.safe("https://x/?k=a%20b%2Fc%2Bd and a b/c+d") == f"https://x/?k={HIDDEN} and {HIDDEN}"


@pytest.mark.parametrize("url", ["http://", "http://[::1", "https://exa mple/"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises((ConfigError, LinkError)) as caught:
        a_client(tries=1, connect_s=0.05).get(url, source="X")
    assert str(caught.value).startswith("X: ")
