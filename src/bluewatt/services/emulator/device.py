"""An emulated device: a family, a plant and a memory, joined to what answers, advertises and remembers."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from typing import Any

import msgspec

from bluewatt.errors import Unencodable
from bluewatt.schema import Record
from bluewatt.services.device_identity import NONCES, AdvertisementSealer, Identity, key_after
from bluewatt.services.emulator.families import RADIO_INSTANCE, Family, Generation
from bluewatt.services.emulator.memory import Memory, pin_text
from bluewatt.services.emulator.registers import Cell, DeviceAccess, RegisterStore
from bluewatt.services.network_member import NetworkMember
from bluewatt.services.plant import Plant
from bluewatt.tables.advertisement import ProductOnly
from bluewatt.tables.gatt import NO_PRODUCT, PRODUCT_SERVICE, ResultCode
from bluewatt.tables.registers import Register
from bluewatt.wire.instant_readout.cipher import Key
from bluewatt.wire.registers.compounds import Version
from bluewatt.wire.vesmart.broadcast import Network
from bluewatt.wire.victronconnect.device import Personality
from bluewatt.wire.victronconnect.device_information import DeviceInformation, build_device_information

LONGEST_NAME = 29
"""Bytes of a local name that fit a scan response."""

_ATT_OVERHEAD = 3
SERVICE_UUIDS, INSTANT_READOUT = 0, 1
"""Values of register 0xEC7D: what the device advertises."""

_NO_PRODUCT = {"identifier": 0, "product_id": NO_PRODUCT, "updatable": "no"}
"""The product of an instance without one: 0000fefe (captured of SmartShunt and SmartSolar)."""

_MODULE = DeviceInformation(
    # As captured of a SmartShunt's Bluetooth module (section 11); the app would show its firmware as 2.52.
    bootloader_version=0x000116FF, firmware_version=0x000252FF, radio_stack=0x008C, module_product_id=0xA196,
    field_12=0x0050, field_14=0xFFFFFFF2, tail=b"\0",
)  # fmt: skip


class EmulatedDevice:
    """Everything of a device but the radio.

    `clock` returns the time in seconds; the peripheral and the session use the same. `firmware` is a generation other
    than the family's own. `keep_alive` is the seconds after which a client that writes no keep-alive is disconnected:
    infinity for never, None as the generation has it. With `key_behind_puk` the key register is refused until the
    nonce step of section 10 was done.
    """

    interval = 0.3
    """Seconds between two advertisements."""

    def __init__(
        self, family: Family, plant: Plant, memory: Memory, *, clock: Callable[[], float],
        firmware: Generation | None = None, mtu: int | None = None, network: Network | None = None,
        key_behind_puk: bool = False, keep_alive: float | None = None,
    ) -> None:  # fmt: skip
        content = memory.content
        if content.seed is None:
            content.seed = secrets.randbits(63)
        self.family = family
        self.plant = plant
        self.memory = memory
        self.identity = Identity(content.seed, family.name, family.product_id)
        self.address = self.identity.address
        self.serial = self.identity.serial
        self.mtu = mtu or (firmware or family).mtu
        self.personality = _adapted((firmware or family).personality, self.mtu, keep_alive)
        self.service_uuid = PRODUCT_SERVICE.format(family.service_prefix, family.product_id)
        listed = family.shunt_service and firmware is None
        self.shunt_service = listed and bool(content.values.get("vereg_gatt_service_mode", 1))
        """Whether the documented service is listed; a change of its register shows after a restart, as on a shunt."""
        self.second_service = family.second_service
        self.unlocked = not key_behind_puk
        self.pin_changed: Callable[[], None] = _nothing
        """Called after a change of PIN, which makes all bonds invalid."""
        self.changed: Callable[[], None] = _nothing
        """Called after a write, which may change the advertisement or the name."""
        self._clock = clock
        self._started = clock()
        self._sealer = AdvertisementSealer(family.product_id, nonce=secrets.randbelow(NONCES))
        self._absent = firmware.absent if firmware else frozenset()
        self._passing: dict[str, Any] = {}
        self.registers = RegisterStore(family, DeviceAccess(self._register_values, self._set, self._act))
        self.member = self._member(network) if network else None
        """Its part in its VE.Smart network, if it belongs to one."""
        self._add_radio_registers()
        for key, value in content.values.items():
            plant.write(key, value)
        memory.save()

    # what it is

    @property
    def name(self) -> str:
        """The local name: the one the owner chose, else that of the factory."""
        return self.memory.content.name or self.identity.local_name

    @property
    def pin(self) -> str:
        """The PIN, six digits."""
        return self.memory.content.pin

    @property
    def key(self) -> Key:
        """The advertisement key."""
        return Key.of(self.memory.content.key) if self.memory.content.key else self.identity.key

    @property
    def instant_readout(self) -> bool:
        """Whether it advertises its record, or its product and service."""
        return bool(self.memory.content.values.get("advertisement_mode", INSTANT_READOUT))

    @property
    def device_information(self) -> bytes:
        """The content of characteristic 97580002."""
        return build_device_information(_MODULE)

    def change_pin(self, pin: str) -> None:
        """Take a new PIN, which makes a new key; ConfigError for what is no PIN."""
        content = self.memory.content
        content.pin = pin_text(pin)
        content.key = key_after(self.key, secrets.token_bytes(15)).hex()
        self.memory.save()
        self.pin_changed()

    def unlock(self) -> None:
        """Let clients read the key from now on: one proved that it knows the PIN."""
        self.unlocked = True

    # what it advertises and shows

    def advertisement(self, at: float) -> bytes:
        """Return the manufacturer data after the company identifier at a time, sealed."""
        record: Record = self.plant.record(at) if self.instant_readout else ProductOnly()
        return self._sealer.seal(record, self.key)

    def measurements(self) -> Mapping[str, Any]:
        """Return every quantity by metric, for the documented service."""
        return self.plant.values(self._clock())

    def changes(self, instances: Set[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield instance, register and content of what a subscriber of these instances has not been sent."""
        return self.registers.changes(instances)

    def connected(self) -> None:
        """Take note of a new client, which has not been sent anything."""
        self.registers.forget_pushed()

    def broadcast(self, at: float) -> bytes | None:
        """Return the broadcast to its VE.Smart network that is due, if any."""
        return self.member.due(at, self._register_values()) if self.member else None

    @property
    def broadcast_deadline(self) -> float:
        """When the next broadcast is due; infinity outside a network."""
        return self.member.deadline if self.member else math.inf

    def _register_values(self) -> Mapping[str, Any]:
        now = self._clock()
        own = {"uptime": int(now - self._started)}
        return {**own, **self.memory.content.values, **self._passing, **self.plant.values(now)}

    def _member(self, network: Network) -> NetworkMember:
        counter = self.memory.content.counter
        return NetworkMember(
            network, self.serial, self.family.table, last_counter=counter, reserve=self._reserve_counts
        )

    def _reserve_counts(self, counter: int) -> None:
        self.memory.content.counter = counter
        self.memory.save()

    # what clients write

    def _set(self, key: str, value: Any, remembered: bool) -> None:
        acts = self.plant.write(key, value)
        if remembered:
            self.memory.content.values[key] = _plain(value)
            self.memory.save()
        elif not acts:
            self._passing[key] = _plain(value)
        self.changed()

    def _act(self, key: str) -> None:
        self.plant.write(key, None)

    def _rename(self, name: Any) -> int | None:
        text = str(name).strip()
        if not 0 < len(text.encode()) <= LONGEST_NAME:
            return ResultCode.NOT_ACCEPTABLE
        self.memory.content.name = text
        self.memory.save()
        self.changed()
        return None

    def _take_pin(self, pins: Any) -> int | None:
        old, new = pins["old_pin"], pins["new_pin"]
        if old != self.pin or len(new) != len(self.pin) or not new.isdigit():
            return ResultCode.NOT_ACCEPTABLE
        self.change_pin(new)
        return None

    # the registers of the Bluetooth part

    def _add_radio_registers(self) -> None:
        facts = self._facts()
        both = sorted({RADIO_INSTANCE, self.family.data_instance})
        for instance in both:
            for key, read in facts.items():
                self._add_fact(instance, key, read)
            self._add_fact(instance, "custom_name", lambda: self.name, self._rename)
        for instance, _ in self.family.instances:
            if instance not in both:
                self._add_fact(instance, "product_id", lambda: _NO_PRODUCT)
        for key, fixed in self._radio_settings().items():
            self.registers.add(RADIO_INSTANCE, key, partial(self._radio_setting, key=key, fixed=fixed))
        self.registers.add(RADIO_INSTANCE, "advertisement_key", self._key_cell)
        self._add_fact(RADIO_INSTANCE, "pin_code", None, self._take_pin)

    def _add_fact(
        self, instance: int, key: str, read: Callable[[], Any] | None, write: Callable[[Any], int | None] | None = None
    ) -> None:
        if instance != RADIO_INSTANCE or key not in self._absent:
            self.registers.add(instance, key, partial(Cell, read=read, write=write))

    def _facts(self) -> dict[str, Callable[[], Any]]:
        product = {"identifier": 0, "product_id": self.family.product_id, "updatable": "no"}
        firmware = {"identifier": 0, "version": Version.parse(self.family.firmware)}
        address = bytes.fromhex(self.address.replace(":", ""))
        return {
            "product_id": lambda: product,
            "firmware_version": lambda: firmware,
            "serial_number": lambda: self.serial,
            "model_name": lambda: self.family.title,
            "unique_id": lambda: address.rjust(8, b"\0"),
            "uptime": lambda: self._register_values()["uptime"],
            "ble_mode": lambda: 1,
            "capabilities_ble": lambda: ["ble_mode", "advertisement_key", *self._gatt_service()],
            "ble_mac_address": lambda: address,
            "pin_code_status": lambda: "default" if self.pin == "000000" else "changed",
            "network_in_range_count": lambda: int(self.member is not None),
        } | (self.member.facts(lambda: self.unlocked) if self.member else {})

    def _gatt_service(self) -> list[str]:
        return ["vereg_service"] if self.family.shunt_service else []

    def _radio_settings(self) -> dict[str, int]:
        settings = {"advertisement_mode": INSTANT_READOUT, "identify": 0}
        return settings | ({"vereg_gatt_service_mode": 1} if self.family.shunt_service else {})

    def _radio_setting(self, row: Register, *, key: str, fixed: int) -> Cell:
        def write(value: Any) -> int | None:
            if value not in (0, 1):
                return ResultCode.NOT_ACCEPTABLE
            self._set(key, value, key != "identify")
            return None

        return Cell(row, lambda: self.memory.content.values.get(key, fixed), write)

    def _key_cell(self, row: Register) -> Cell:
        return Cell(row, lambda: bytes(self.key), withheld=lambda: not self.unlocked)


def _adapted(personality: Personality, mtu: int, keep_alive: float | None) -> Personality:
    """Return a personality for an MTU: its header has the chunk size (section 4.1: 74 at 77, 20 at 23)."""
    header = msgspec.structs.replace(personality.header, chunk_size=mtu - _ATT_OVERHEAD)
    adapted = msgspec.structs.replace(personality, header=header)
    if keep_alive is None:
        return adapted
    if math.isinf(keep_alive):
        return msgspec.structs.replace(adapted, keep_alive=None)
    return msgspec.structs.replace(adapted, keep_alive=keep_alive, knows_keep_alive=True)


def _plain(value: Any) -> Any:
    """Return a value as JSON keeps it: named numbers as numbers."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | str):
        return value
    raise Unencodable(f"a setting of type {type(value).__name__} cannot be remembered")


def _nothing() -> None:
    """Do nothing."""
