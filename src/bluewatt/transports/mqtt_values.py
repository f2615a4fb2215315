"""Values from an MQTT broker: `mqtt://user:password@host:1883/boat/battery/#`, for the emulator."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

import aiomqtt
import msgspec

from bluewatt.errors import BrokerError, ConfigError
from bluewatt.secret import hide_fields

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a lost connection is tried again: at first, and at most after doubling each time."""

_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Topic(msgspec.Struct, frozen=True):
    """A topic of a broker and how to reach it; the password never prints itself."""

    host: str
    port: int
    topic: str
    username: str | None
    password: str | None
    encrypted: bool

    def __post_init__(self) -> None:
        hide_fields(self, "password")

    @classmethod
    def of(cls, url: str) -> Topic:
        """Return the topic a URL names; raises ConfigError, without the URL, if it names no host or no topic."""
        parts = urlsplit(url)
        # A level of "#" is written as it is, and urlsplit takes it for a fragment.
        topic = unquote(parts.path).lstrip("/") + ("#" if url.endswith("#") else "")
        if parts.scheme not in _PORTS or not parts.hostname or not topic:
            raise ConfigError(
                "this is no MQTT topic", hint="write mqtt://host/topic or mqtts://user:password@host/topic"
            )
        username, password = (unquote(text) if text else None for text in (parts.username, parts.password))
        port = parts.port or _PORTS[parts.scheme]
        return cls(parts.hostname, port, topic, username, password, parts.scheme == "mqtts")


async def messages(url: str) -> AsyncIterator[tuple[str, bytes]]:
    """Yield topic and payload of every message, for ever.

    Raises BrokerError if the broker cannot be reached at first; a connection lost later is made again.
    """
    where, pause = Topic.of(url), FIRST_PAUSE
    connected = False
    while True:
        try:
            async with _client(where) as client:
                await client.subscribe(where.topic)
                connected, pause = True, FIRST_PAUSE
                async for message in client.messages:
                    yield message.topic.value, bytes(message.payload)
        except (aiomqtt.MqttError, OSError) as error:
            if not connected:
                raise BrokerError(f"the MQTT broker {where.host}:{where.port} cannot be used: {error}") from error
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _client(where: Topic) -> aiomqtt.Client:
    return aiomqtt.Client(
        where.host,
        where.port,
        username=where.username,
        password=where.password,
        tls_context=ssl.create_default_context() if where.encrypted else None,
    )
