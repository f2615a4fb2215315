"""The one way to open an adapter by a transport string of bumble: opened, watched and closed.

If an adapter vanishes (it is pulled out, or the emulator behind "tcp-client:" ends), bumble reports nothing and lets
later commands wait for ever. Here its loss is an error at once, and later commands fail.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any

from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import Transport, TransportLostError

from bluewatt.errors import AdapterUnavailable
from bluewatt.transports.background import Background
from bluewatt.transports.hci_errors import hci_unavailable
from bluewatt.transports.resource import Resource
from bluewatt.transports.tcp_server import KIND, open_tcp_server

_LONGEST_PACKET = 4096  # bytes; the longest HCI packet of an adapter is shorter


class Hci(Resource):
    """The transport of an adapter, open from entering to leaving; entering raises AdapterUnavailable.

    If the adapter goes away, the body of the `async with` is interrupted and AdapterUnavailable is raised.
    """

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._hosts: list[Host] = []
        self._opened: Transport | None = None

    async def _open(self, stack: AsyncExitStack) -> None:
        opened = self._opened = await open_hci(self.transport)
        stack.push_async_callback(close_hci, opened)
        _listen_for_loss(opened.source)
        tasks = await stack.enter_async_context(Background())
        tasks.start(self._watch(opened), name=f"watch of {self.transport}")

    @property
    def opened(self) -> Transport:
        """The source and the sink of packets; RuntimeError before entering."""
        if self._opened is None:
            raise RuntimeError("the transport is not open")
        return self._opened

    def host(self) -> Host:
        """Return a host of the adapter; its commands raise TransportLostError once the adapter is gone."""
        host = Host(self.opened.source, _FailingSink(self.opened))
        self._hosts.append(host)
        return host

    async def _watch(self, opened: Transport) -> None:
        await asyncio.wait([opened.source.terminated])
        if not opened.source.terminated.cancelled():
            opened.source.terminated.exception()  # seen
        for host in self._hosts:
            if host.pending_response and not host.pending_response.done():
                host.on_transport_lost()  # type: ignore[no-untyped-call]
        raise AdapterUnavailable(
            f"the Bluetooth adapter {self.transport} is gone: it was unplugged, or the program that serves it ended",
            reason="missing",
        )


class _FailingSink:
    """A sink of packets that fails once the adapter is gone; bumble's drops them and waits for an answer for ever."""

    def __init__(self, opened: Transport) -> None:
        self._opened = opened

    def on_packet(self, packet: bytes) -> None:
        if self._opened.source.terminated.done():
            raise TransportLostError("the adapter is gone")
        try:
            self._opened.sink.on_packet(packet)
        except OSError as error:
            source: Any = self._opened.source
            source.on_transport_lost()
            raise TransportLostError(f"the adapter is gone: {error}") from error


def _listen_for_loss(source: Any) -> None:
    """Read an HCI socket in place of bumble, which leaves errors to the event loop and so misses a pulled adapter.

    The kernel ends the socket of an adapter that goes away with EPIPE. Other transports report their end themselves.
    """
    if not hasattr(source, "recv_until_would_block"):
        return
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            while packet := source.socket.recv(_LONGEST_PACKET):
                source.parser.feed_data(packet)
        except BlockingIOError:
            return
        except OSError:
            pass
        loop.remove_reader(source.socket.fileno())
        source.on_transport_lost()

    loop.add_reader(source.socket.fileno(), read)


async def open_hci(transport: str) -> Transport:
    """Open a transport string of bumble; raises AdapterUnavailable with what to do about it."""
    kind, _, where = transport.partition(":")
    try:
        return await (open_tcp_server(where) if kind == KIND else open_transport(transport))
    except Exception as error:  # every driver library has its own tree: usb1, serial, OS and bumble errors
        raise hci_unavailable(transport, error) from error


async def close_hci(opened: Transport) -> None:
    """Close a transport with the listening socket and the connection that bumble's server transports leave open."""
    for left_open in (getattr(opened, "server", None), getattr(opened.sink, "transport", None)):
        if left_open is not None:
            left_open.close()
    with suppress(OSError):
        await opened.close()


_HOST_BEHIND = frozenset({"vhci", "tcp-server", "ws-server", "unix-server", "pty", "udp"})


def is_host(transport: str) -> bool:
    """Return whether a host without an adapter is behind a transport, which then needs us as its adapter."""
    return transport.partition(":")[0] in _HOST_BEHIND
