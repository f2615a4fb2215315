"""The transport "tcp-server:HOST:PORT" for one host at a time.

bumble's own lets a second program that connects take the place of the first, which then hears nothing more and is told
nothing. Here the second is hung up on at once, which its side can say in words, and the first goes on.
"""

from __future__ import annotations

import asyncio

from bumble.transport.common import StreamPacketSource, Transport

KIND = "tcp-server"
GRACE = 0.2
"""Seconds in which the host before may finish leaving, before one that comes is refused."""

_EVERYWHERE = "_"  # bumble's word for all addresses of this computer


class _Sink:
    """Packets to the host that is connected; without one they go nowhere, as from an adapter nobody uses."""

    transport: asyncio.Transport | None = None

    def on_packet(self, packet: bytes) -> None:
        """Send a packet."""
        if self.transport is not None:
            self.transport.write(packet)


class _Client(asyncio.Protocol):
    """One connection: the host, or one too many."""

    def __init__(self, source: StreamPacketSource, sink: _Sink) -> None:
        self._source = source
        self._sink = sink
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the place of the host if it is free; else wait for a moment, the one before may be leaving."""
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
        """Hand packets on."""
        if self._transport is not None:
            self._source.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Make room for the next host."""
        if self._transport is not None:
            self._sink.transport = self._transport = None


class TcpServer(Transport):
    """The transport, listening."""

    def __init__(self, source: StreamPacketSource, sink: _Sink, server: asyncio.Server) -> None:
        super().__init__(source, sink)
        self.server = server


async def open_tcp_server(where: str) -> TcpServer:
    """Listen at "HOST:PORT"; OSError or ValueError where that cannot be."""
    host, _, port = where.rpartition(":")
    source, sink = StreamPacketSource(), _Sink()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Client(source, sink), None if host == _EVERYWHERE else host, int(port)
    )
    return TcpServer(source, sink, server)
