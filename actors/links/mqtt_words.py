"""Why there is no connection, in the words of the person who must mend it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Literal

from gmqtt import MQTTConnectError

from models.errors import ConfigError
from models.types.mqtt import PASSWORD, Mqtt

Kind = Literal["stopped", "unreachable", "lost", "silent", "refused", "tls", "taken"]

TAKEN_OVER = 0x8E
_ASK_OWNER = "ask who runs the broker"
_REFUSALS = {  # MQTT 5, 3.2.2.2
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "it does not speak MQTT 5; mosquitto does from 1.6 on",
    0x85: "it does not accept our client id",
    0x86: "user or password is wrong",
    0x87: "not authorized: user or password is wrong, or this user may not connect",
    0x88: "it is not available now",
    0x89: "it is busy",
    0x8A: "this client is banned",
    0x8C: "bad authentication method",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x9C: "it says to use another server",
    0x9D: "it has moved",
    0x9F: "too many connections a second",
}
_GOODBYES = {  # MQTT 5, 3.14.2.1
    0x04: "it ended with our last will",
    0x82: "protocol error",
    0x87: "not authorized any more",
    0x89: "it is busy",
    0x8B: "it is shutting down",
    0x8D: "it heard nothing of us for too long",
    TAKEN_OVER: "another client took our place",
    0x93: "we sent more than it takes at once",
    0x95: "a packet was too large",
    0x97: "quota exceeded",
    0x98: "somebody ended it there by hand",
}
_NOT_ALLOWED = (0x85, 0x86, 0x87, 0x8A, 0x8C)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection, or the try to make one, ended."""

    kind: Kind
    text: str
    was_up: bool = False
    unanswered: bool = False  # the broker may still find our CONNECT in its queue


def failed(error: BaseException, settings: Mqtt) -> Ended:
    """Why no connection came about."""
    broker = settings.broker
    match error:
        case MQTTConnectError():
            return _refused(int(getattr(error, "_code", 0)), settings)
        case ssl.SSLCertVerificationError():
            return Ended("tls", _certificate(error, settings))
        case ssl.SSLError():
            return Ended(
                "tls", f"{broker} does not speak TLS as expected ({_reason(error)}); is it its plain port? mqtt.url"
            )
        case socket.gaierror():
            return Ended("unreachable", f"there is no host {broker.host!r}; mqtt.url")
        case ConnectionRefusedError():
            return Ended("unreachable", f"nothing listens at {broker}; is the broker running? mqtt.url")
        case TimeoutError():
            return no_answer(settings)
        case ConfigError():
            return Ended("tls", str(error))
        case OSError() if broker.tls:
            text = error.strerror or str(error) or type(error).__name__
            return Ended("unreachable", f"{broker} ended the TLS handshake: {text}; is it its plain port? mqtt.url")
        case OSError():
            text = error.strerror or str(error) or type(error).__name__
            return Ended("unreachable", f"{broker} cannot be reached: {text}; mqtt.url")
        case _:
            return Ended("lost", f"{broker}: {type(error).__name__}: {str(error)[:200]}")


def no_answer(settings: Mqtt) -> Ended:
    """Nobody spoke within the time."""
    hint = "is it an MQTT broker" + ("?" if settings.broker.tls else ", and without TLS?")
    return Ended(
        "unreachable",
        f"{settings.broker} did not answer within {settings.connect_s:g} s; {hint} mqtt.url",
        unanswered=True,
    )


def closed_at_once(settings: Mqtt) -> Ended:
    """It closed before it had answered."""
    hint = "" if settings.broker.tls else "; if it is its TLS port, write mqtts:// in mqtt.url"
    return Ended("lost", f"{settings.broker} closed the connection before it answered{hint}")


def goodbye(reason: int | None, settings: Mqtt, *, was_up: bool) -> Ended:
    """The broker, or the network, ended a connection; `reason` is what its DISCONNECT said."""
    broker = settings.broker
    if reason == TAKEN_OVER:
        who = settings.client_id
        return Ended("taken", f"another client at {broker} uses our id {who!r}; give each its own: mqtt.name", was_up)
    if reason is None:
        return Ended("lost", f"{broker} is gone: the connection broke", was_up) if was_up else closed_at_once(settings)
    return Ended("lost", f"{broker} ended the connection: {_GOODBYES.get(reason, f'reason {reason:#04x}')}", was_up)


def closed_often(settings: Mqtt, times: int) -> Ended:
    """It lets us in and closes, again and again: mosquitto 2.0.11 does not say why."""
    who = settings.client_id
    return Ended(
        "taken",
        f"{settings.broker} closed our connection {times} times in a row: another client seems to use our id {who!r}; "
        "give each its own: mqtt.name",
        True,
    )


def silent(settings: Mqtt, what: str) -> Ended:
    """Connected, but no sign of life."""
    return Ended("silent", f"{settings.broker} is silent: {what}", True)


def not_subscribed(topics: list[str], settings: Mqtt) -> Ended:
    """It will not let us hear what we need."""
    who = f"user {settings.user!r}" if settings.user else "a client without user"
    return Ended("refused", f"{settings.broker} does not let {who} read {', '.join(topics)}; allow it in its ACL")


def _refused(code: int, settings: Mqtt) -> Ended:
    what = _REFUSALS.get(code, f"reason {code:#04x}")
    broker = settings.broker
    if code in _NOT_ALLOWED:
        who = f"user {settings.user!r}" if settings.user else "us without a user"
        return Ended("refused", f"{broker} refuses {who}: {what}; mqtt.user and the secret {PASSWORD}")
    return Ended("refused", f"{broker} refuses the connection: {what}; {_ASK_OWNER}")


def _certificate(error: ssl.SSLCertVerificationError, settings: Mqtt) -> str:
    broker, code = settings.broker, error.verify_code
    begin = f"the certificate of {broker} is not accepted: "
    match code:
        case 10:
            return begin + "it has expired; renew it at the broker"
        case 9:
            return begin + "it is not valid yet; look at the clocks of both computers"
        case 62 | 63 | 64:
            return begin + f"it is not for {broker.host!r}; name the broker in mqtt.url as its certificate does"
        case 18 | 19 | 20 | 21:
            signer = f"it is not signed by {settings.ca_file}" if settings.ca_file else "its signer is unknown here"
            return begin + f"{signer}; mqtt.ca_file"
        case _:
            return begin + f"{error.verify_message}; mqtt.ca_file"


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()[:80]


def tls_context(settings: Mqtt) -> ssl.SSLContext | None:
    """How TLS is spoken with this broker; None: it is not. Name, date and signer are always checked.

    Raises
    ------
    ConfigError
        `ca_file` is missing or no certificate, or it is named while the address says `mqtt://`.
    """
    if not settings.broker.tls:
        if settings.ca_file is not None:
            raise ConfigError(
                f"mqtt.ca_file {settings.ca_file} is set, mqtt.url {settings.url} is without TLS",
                hint="write mqtts:// or remove ca_file",
            )
        return None
    path, hint = settings.ca_file, "a PEM file of who signed the broker's certificate"
    try:
        context = ssl.create_default_context(cafile=None if path is None else str(path))
    except ssl.SSLError:
        raise ConfigError(f"mqtt.ca_file {path}: is no certificate", hint=hint) from None
    except OSError as error:
        raise ConfigError(f"mqtt.ca_file {path}: {error.strerror or error}", hint=hint) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
