"""The medium of the virtual radio: bumble's LocalLink, made more like real air.

Four differences from bumble 0.0.236, each found by running it:

* an advertisement goes to the controllers that listen, not to all: the cost grows with devices, not with their square;
* a scan response is the advertiser's own (bumble repeats the advertisement), and only an active scanner gets it;
* every advertiser has its own signal strength, and packets can be lost (bumble: always -50 dBm, never);
* data of a connection is routed by the connection's own address. BlueZ scans with a throw-away address and connects
  with another, and bumble, which names the sender by its address of the moment, then delivers to nobody.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random

from bumble import hci, ll
from bumble.controller import AdvertisingSet, Connection, Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

DEFAULT_RSSI = -60
"""Signal strength in dBm of an advertiser that does not say its own."""

_LegacyReport = hci.HCI_LE_Advertising_Report_Event
_ExtendedReport = hci.HCI_LE_Extended_Advertising_Report_Event
# Extended reports of legacy PDUs, Core 5.4 vol 4 part E 7.7.65.13: connectable, scannable, legacy; its scan response
_EXTENDED_TYPE = {_LegacyReport.EventType.ADV_IND: 0x13, _LegacyReport.EventType.SCAN_RSP: 0x1B}


@dataclasses.dataclass
class AirAdvertisement(ll.AdvInd):
    """A connectable legacy advertisement with what a receiver would learn beside its bytes."""

    scan_response: bytes = b""
    rssi: int = DEFAULT_RSSI


class RadioMedium(LocalLink):
    """The medium that joins virtual controllers; `loss` (0 to 1) of the advertisements never arrive."""

    def __init__(self, *, loss: float = 0.0, seed: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.listeners: set[Controller] = set()
        """Controllers that scan or wait for an advertiser to connect to."""
        self.rssi: dict[hci.Address, int] = {}
        """Signal strength by advertiser, dBm."""
        self.sent = 0
        """Advertisements put on the air so far."""
        self._loss = loss
        self._random = random.Random(seed)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Carry a controller's advertisement to those that listen, and a connection request to the device it names."""
        if isinstance(packet, ll.ConnectInd):
            advertiser = self.connectable(packet.advertiser_address)
            if advertiser is not None:
                asyncio.get_running_loop().call_soon(advertiser.on_ll_advertising_pdu, packet)
        elif isinstance(packet, ll.AdvInd):
            scan_response = sender_controller.le_legacy_advertiser.scan_response_data
            self.advertise(packet.advertiser_address, packet.data, scan_response, sender=sender_controller)
        elif isinstance(packet, ll.AdvExtInd) and (legacy := _legacy_set(sender_controller, packet)):
            scan_response = bytes(legacy.scan_response_data)
            self.advertise(packet.advertiser_address, packet.data, scan_response, sender=sender_controller)
        else:
            super().send_advertising_pdu(sender_controller, packet)

    def advertise(
        self, address: hci.Address, data: bytes, scan_response: bytes, *, sender: Controller | None = None
    ) -> None:
        """Put one connectable legacy advertisement on the air."""
        self.sent += 1
        rssi = self.rssi.get(address, DEFAULT_RSSI)
        packet = AirAdvertisement(address, data, scan_response, rssi)
        for listener in self.listeners:
            if listener is not sender and not self._lost():
                asyncio.get_running_loop().call_soon(listener.on_ll_advertising_pdu, packet)

    def _lost(self) -> bool:
        return self._loss > 0 and self._random.random() < self._loss

    def connectable(self, address: hci.Address) -> Controller | None:
        """Return the controller that advertises under this address now and accepts connections; None if none does."""
        for controller in self.controllers:
            legacy = controller.le_legacy_advertiser
            if legacy.enabled and legacy.address == address:
                return controller
            if any(one.enabled and one.address == address for one in controller.advertising_sets.values()):
                return controller
        return None

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Deliver a connection's data under the address the connection was made with."""
        if transport != PhysicalTransport.LE:
            super().send_acl_data(sender_controller, destination_address, transport, data)
            return
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None:
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, connection.self_address, transport, data)

    def remove_controller(self, controller: Controller) -> None:
        """Take a controller off the air: its links end on the other side as if it had gone out of range."""
        self.listeners.discard(controller)
        for connection in list(controller.le_connections.values()):
            self._break(connection)
        super().remove_controller(controller)

    def _break(self, connection: Connection) -> None:
        peer = self.find_le_controller(connection.peer_address)
        other = peer and peer.le_connections.get(connection.self_address)
        if peer and other:
            peer.on_le_disconnected(other, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


def _legacy_set(sender: Controller, packet: ll.AdvExtInd) -> AdvertisingSet | None:
    """Return the advertising set of the packet if it sends legacy PDUs, as hosts with extended commands do."""
    legacy = hci.HCI_LE_Set_Extended_Advertising_Parameters_Command.AdvertisingProperties.USE_LEGACY_ADVERTISING_PDUS
    for one in sender.advertising_sets.values():
        if one.address == packet.advertiser_address and one.parameters:
            return one if one.parameters.advertising_event_properties & legacy else None
    return None


class VirtualController(Controller):
    """A controller on a `RadioMedium`: it listens only while it scans or connects, and reports what it received."""

    link: RadioMedium
    _scanning = False
    _pending: hci.HCI_LE_Create_Connection_Command | hci.HCI_LE_Extended_Create_Connection_Command | None = None

    @property
    def le_scan_enable(self) -> bool:
        """Whether the host scans; setting it also tunes the controller in or out."""
        return self._scanning

    @le_scan_enable.setter
    def le_scan_enable(self, enabled: bool) -> None:
        self._scanning = enabled
        self._tune()

    @property
    def pending_le_connection(
        self,
    ) -> hci.HCI_LE_Create_Connection_Command | hci.HCI_LE_Extended_Create_Connection_Command | None:
        """The connection the host asked for, which waits for the advertiser; setting it also tunes the controller."""
        return self._pending

    @pending_le_connection.setter
    def pending_le_connection(
        self, command: hci.HCI_LE_Create_Connection_Command | hci.HCI_LE_Extended_Create_Connection_Command | None
    ) -> None:
        self._pending = command
        self._tune()

    def _tune(self) -> None:
        if self._scanning or self._pending:
            self.link.listeners.add(self)
        else:
            self.link.listeners.discard(self)

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """Report an advertisement to the host, and connect if the host waits for this advertiser."""
        if not isinstance(pdu, AirAdvertisement):
            super().on_advertising_pdu(pdu)
            return
        if self._scanning:
            self._report(pdu, _LegacyReport.EventType.ADV_IND, pdu.data)
            if self.le_scan_type:
                self._report(pdu, _LegacyReport.EventType.SCAN_RSP, pdu.scan_response)
        if self._pending and self._pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _report(self, pdu: AirAdvertisement, kind: _LegacyReport.EventType, data: bytes) -> None:
        # Straight to the host: bumble's send_hci_packet formats every packet for its log, wanted or not.
        if self.host:
            event = self._extended(pdu, kind, data) if self._extended_scan else self._legacy(pdu, kind, data)
            asyncio.get_running_loop().call_soon(self.host.on_packet, bytes(event))

    _extended_scan = False

    @staticmethod
    def _legacy(pdu: AirAdvertisement, kind: _LegacyReport.EventType, data: bytes) -> hci.HCI_Event:
        return _LegacyReport(
            [
                _LegacyReport.Report(
                    event_type=kind,
                    address_type=pdu.advertiser_address.address_type,
                    address=pdu.advertiser_address,
                    data=data,
                    rssi=pdu.rssi,
                )
            ]
        )

    @staticmethod
    def _extended(pdu: AirAdvertisement, kind: _LegacyReport.EventType, data: bytes) -> hci.HCI_Event:
        return _ExtendedReport(
            [
                _ExtendedReport.Report(
                    event_type=_EXTENDED_TYPE[kind],
                    address_type=pdu.advertiser_address.address_type,
                    address=pdu.advertiser_address,
                    primary_phy=hci.Phy.LE_1M,
                    secondary_phy=0,
                    advertising_sid=0xFF,
                    tx_power=0x7F,
                    rssi=pdu.rssi,
                    periodic_advertising_interval=0,
                    direct_address_type=0,
                    direct_address=hci.Address.ANY,
                    data=data,
                )
            ]
        )

    def create_le_connection(self, peer_address: hci.Address) -> None:
        """Connect, unless the advertiser takes no connections: then the host's request goes on waiting."""
        if self.link.connectable(peer_address) is not None:
            super().create_le_connection(peer_address)

    def on_hci_le_set_extended_scan_parameters_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Parameters_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Keep the scan type, which bumble forgets: a passive scan gets no scan responses."""
        self._extended_scan = True
        self.le_scan_type = int(command.scan_types[0]) if command.scan_types else 0
        return super().on_hci_le_set_extended_scan_parameters_command(command)

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """End a waiting connection request and report it (bumble leaves it waiting for ever)."""
        pending, self.pending_le_connection = self._pending, None
        if pending:
            self.send_hci_packet(self._cancelled(pending))
        return super().on_hci_le_create_connection_cancel_command(command)

    @staticmethod
    def _cancelled(
        pending: hci.HCI_LE_Create_Connection_Command | hci.HCI_LE_Extended_Create_Connection_Command,
    ) -> hci.HCI_Event:
        return hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Forget scans, requests and links, as a restarted host expects (bumble keeps them)."""
        self.le_scan_enable, self.pending_le_connection, self._extended_scan = False, None, False
        self.le_legacy_advertiser.stop()
        for connection in list(self.le_connections.values()):
            self.link._break(connection)
        self.le_connections.clear()
        return super().on_hci_reset_command(command)
