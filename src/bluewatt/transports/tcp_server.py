"""The transport "tcp-server:HOST:PORT" for one host at a time.

bumble's own lets a second program that connects take the place of the first, which then receives nothing more and does
not learn why. Here the connection of the second is closed at once, which its side reports, and the first goes on.
"""

from __future__ import annotations

import asyncio

from bumble.transport.common import StreamPacketSource, Transport

KIND = "tcp-server"
"""What is before the colon of its transport strings."""

GRACE = 0.2
"""Seconds that a host has to finish leaving before the next one is refused."""

_EVERYWHERE = "_"  # how bumble writes all addresses of this computer


class _Sink:
    """Packets to the host that is connected; without one they go nowhere, as from an adapter nobody uses."""

    transport: asyncio.Transport | None = None

    def on_packet(self, packet: bytes) -> None:
        """Send a packet."""
        if self.transport is not None:
            self.transport.write(packet)


class _Client(asyncio.Protocol):
    """One connection: that of the host, or one too many."""

    def __init__(self, source: StreamPacketSource, sink: _Sink) -> None:
        self._source = source
        self._sink = sink
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Become the host if there is none; else wait for a moment, since the one before may be leaving."""
        assert isinstance(transport, asyncio.Transport)
        if self._sink.transport is None:
            self._take_place(transport)
        else:
            transport.pause_reading()
            asyncio.get_running_loop().call_later(GRACE, self._decide, transport)

    def _decide(self, transport: asyncio.Transport) -> None:
        if self._sink.transport is not None or transport.is_closing():
            transport.close()
            return
        self._take_place(transport)
        transport.resume_reading()

    def _take_place(self, transport: asyncio.Transport) -> None:
        self._transport = self._sink.transport = transport
        self._source.parser.reset()  # what the host before had begun to say

    def data_received(self, data: bytes) -> None:
        """Pass packets of the host on."""
        if self._transport is not None:
            self._source.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Let the next host connect."""
        if self._transport is not None:
            self._sink.transport = self._transport = None


class TcpServer(Transport):
    """The transport while it listens."""

    def __init__(self, source: StreamPacketSource, sink: _Sink, server: asyncio.Server) -> None:
        super().__init__(source, sink)
        self.server = server


async def open_tcp_server(where: str) -> TcpServer:
    """Listen at "HOST:PORT"; raises OSError or ValueError if that is impossible."""
    host, _, port = where.rpartition(":")
    source, sink = StreamPacketSource(), _Sink()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Client(source, sink), None if host == _EVERYWHERE else host, int(port)
    )
    return TcpServer(source, sink, server)
