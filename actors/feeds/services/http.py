"""Asking a service over HTTP: bounded in time and size, patient with what passes, silent about secrets."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from models.errors import ConfigError, LinkError

HIDDEN = "(hidden)"
USER_AGENT = "pems (home energy management)"
_PASSES = frozenset({408, 425, 429, 500, 502, 503, 504})  # worth another try
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How long and how much."""

    connect_s: float = 5.0
    read_s: float = 15.0  # between two pieces of an answer
    call_s: float = 60.0  # all requests of one call of the worker together, waits included
    tries: int = 3
    first_wait_s: float = 1.0  # doubles, with jitter
    longest_wait_s: float = 15.0  # a service that wants more patience is left alone until then
    unsaid_wait_s: float = 60.0  # 429 without Retry-After
    max_bytes: int = 4 * 2**20  # a week of quarter-hourly weather is 60 kB
    redirects: int = 3


class Refused(LinkError):
    """The service answered, but not as we need it; `retry_after_s` is how long it asked us to wait, if it did."""

    def __init__(
        self,
        problem: str,
        *,
        status: int,
        body: bytes = b"",
        retry_after_s: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(problem, hint=hint)
        self.status = status
        self.body = body
        self.retry_after_s = retry_after_s


class Http:
    """A client for a few polite requests.

    Parameters
    ----------
    limits : HttpLimits
    secrets : sequence of str
        Replaced wherever an error text might repeat them, and never sent over plain HTTP to another machine.
    sleep, monotonic, now, rng : callables and Random
        Time and chance, replaceable in tests.
    """

    def __init__(
        self,
        limits: HttpLimits | None = None,
        *,
        secrets: Sequence[str] = (),
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: random.Random | None = None,
    ) -> None:
        self._limits = limits or HttpLimits()
        written = {form for s in secrets if s for form in (s, quote(s, safe=""))}
        self._secrets = tuple(sorted(written, key=len, reverse=True))
        self._sleep, self._monotonic, self._now = sleep, monotonic, now
        self._rng = rng or random.Random()
        timeout = httpx.Timeout(self._limits.read_s, connect=self._limits.connect_s)
        self._client = httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False)
        self._until_s = self._monotonic() + self._limits.call_s
        self._quiet_until_s: dict[str, float] = {}  # by host: it asked us to wait

    def begin(self) -> None:
        """A new call of the worker: its time starts now."""
        self._until_s = self._monotonic() + self._limits.call_s

    def close(self) -> None:
        """Let go of open connections."""
        self._client.close()

    def get(
        self,
        url: str,
        *,
        source: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Body of a GET.

        Raises
        ------
        Refused
            The service answered with another status than 200, also after all tries.
        LinkError
            It could not be reached, was too slow, or said too much.
        """
        try:
            asked = httpx.URL(url, params={**dict(httpx.URL(url).params), **(params or {})})
        except httpx.InvalidURL as error:
            raise ConfigError(self.safe(f"{source}: url {url!r} is none ({error})"), hint="check its setting") from None
        quiet_s = self._quiet_until_s.get(asked.host, 0.0) - self._monotonic()
        if quiet_s > 0:
            raise Refused(
                f"{source}: asked us to wait, {quiet_s:.0f} s are left",
                status=429,
                hint="nothing to do: it is temporary",
            )
        last: LinkError | None = None
        for attempt in range(self._limits.tries):
            if attempt and not self._wait(attempt, last):
                break
            try:
                return self._once(asked, dict(headers or {}), source)
            except Refused as error:
                last = error
                if error.status not in _PASSES:
                    raise
            except LinkError as error:
                last = error
        assert last is not None
        raise last

    def safe(self, text: str) -> str:
        """`text` without any secret."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def _wait(self, attempt: int, last: LinkError | None) -> bool:
        """Sleep before another try; False if there is no time for it."""
        limits = self._limits
        wait_s = last.retry_after_s if isinstance(last, Refused) else None
        if wait_s is None:
            wait_s = limits.first_wait_s * 2.0 ** (attempt - 1) * self._rng.uniform(0.5, 1.5)
        if wait_s > limits.longest_wait_s or self._monotonic() + wait_s >= self._until_s:
            return False
        self._sleep(wait_s)
        return True

    def _once(self, url: httpx.URL, headers: dict[str, str], source: str) -> bytes:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers}
        try:
            for _ in range(self._limits.redirects + 1):
                self._check_secrets(url, headers, source)
                with self._client.stream("GET", url, headers=headers) as response:
                    if response.status_code in _REDIRECTS:
                        url = self._redirected(url, response, headers, source)
                        continue
                    body = self._body(response, source)
                    if response.status_code == 200:
                        return body
                    raise self._refusal(url, response, body, source)
        except (httpx.HTTPError, ValueError) as error:  # a ValueError: a token that no header can carry
            kind = type(error).__name__
            raise LinkError(
                self.safe(f"{source}: {url.host} cannot be reached ({kind}: {error})"),
                hint="check the network and the address; the last known data stay in use",
            ) from None
        raise LinkError(
            f"{source}: more than {self._limits.redirects} redirects", hint="check the url setting of this service"
        )

    def _redirected(self, url: httpx.URL, response: httpx.Response, headers: dict[str, str], source: str) -> httpx.URL:
        try:
            target = url.join(response.headers.get("location", ""))
        except (httpx.InvalidURL, ValueError):
            target = url
        if target.scheme != "https" and target.scheme != url.scheme:
            raise LinkError(
                self.safe(f"{source}: redirected from {url.scheme} to {target.scheme}"), hint="this is not followed"
            )
        if target.host != url.host:
            headers.pop("Authorization", None)
        return target

    def _check_secrets(self, url: httpx.URL, headers: Mapping[str, str], source: str) -> None:
        if url.scheme == "https" or url.host in _LOOPBACK:
            return
        sent = f"{url} {' '.join(headers.values())}"
        if any(secret in sent for secret in self._secrets):
            raise ConfigError(f"{source}: a token would go over plain http to {url.host}", hint="use an https url")

    def _body(self, response: httpx.Response, source: str) -> bytes:
        limit = self._limits.max_bytes
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip"):
            raise LinkError(f"{source}: content encoding {encoding[:20]!r} was not asked for", hint="ask the service")
        unzip = zlib.decompressobj(31) if encoding == "gzip" else None
        body = bytearray()
        for chunk in response.iter_raw():
            try:
                body += chunk if unzip is None else unzip.decompress(chunk, limit + 1 - len(body))
            except zlib.error:
                raise LinkError(f"{source}: the answer is not whole gzip", hint="it is asked again") from None
            if len(body) > limit:
                raise Refused(
                    f"{source}: the answer is larger than {limit / 2**20:g} MB",
                    status=response.status_code,
                    hint="check the url setting: this is not the answer of this service",
                )
            if self._monotonic() >= self._until_s:
                raise LinkError(
                    f"{source}: no whole answer within {self._limits.call_s:g} s", hint="it is asked again later"
                )
        if unzip is not None and not unzip.eof:
            raise LinkError(f"{source}: the answer is not whole gzip", hint="it is asked again")
        return bytes(body)

    def _refusal(self, url: httpx.URL, response: httpx.Response, body: bytes, source: str) -> Refused:
        status = response.status_code
        retry_s = self._retry_after_s(response.headers.get("retry-after"))
        if status == 429 and retry_s is None:
            retry_s = self._limits.unsaid_wait_s
        if status in (401, 403):
            hint = "check the token of this service"
        elif status == 404:
            hint = "nothing is published there, or the url setting is wrong"
        elif status == 429:
            hint = f"too many requests: it is asked again in {retry_s:.0f} s"
        elif status >= 500:
            hint = "the service is at fault; it is asked again"
        else:
            hint = "check the settings of this service"
        if retry_s is not None and status in _PASSES and retry_s > self._limits.longest_wait_s:
            self._quiet_until_s[url.host] = self._monotonic() + retry_s
        return Refused(
            f"{source}: {url.host} answered HTTP {status}",
            status=status,
            body=body[:4096],
            retry_after_s=retry_s,
            hint=hint,
        )

    def _retry_after_s(self, header: str | None) -> float | None:
        """Seconds or an HTTP date; at most an hour, since a header can say anything."""
        if not header:
            return None
        if header.strip().isdigit():
            wait_s = float(header.strip()[:9])
        else:
            try:
                at = parsedate_to_datetime(header)
                wait_s = (at.replace(tzinfo=at.tzinfo or UTC) - self._now()).total_seconds()
            except (ValueError, TypeError, OverflowError):
                return None
        return min(3600.0, max(0.0, wait_s))
