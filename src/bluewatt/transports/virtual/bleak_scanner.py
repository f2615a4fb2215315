"""bleak's scanner on a bumble device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Device

from bluewatt.transports.advertising import text_of_uuid
from bluewatt.transports.virtual.bleak_errors import with_bleak_errors

if TYPE_CHECKING:
    from bluewatt.transports.virtual.bleak_backend import VirtualAdapter


class VirtualScanner(BaseBleakScanner):
    """A scanner of an adapter, which a subclass names: `VirtualAdapter.scanner`."""

    adapter: ClassVar[VirtualAdapter]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],
        **kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        """Begin to hear."""
        self.seen_devices = {}
        device = self.adapter.device
        device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        self.adapter.scans[self] = self._active
        await with_bleak_errors(self.adapter.scan())

    async def stop(self) -> None:
        """Hear no more; the adapter goes on for other scanners."""
        device = self.adapter.device
        device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        self.adapter.scans.pop(self, None)
        await with_bleak_errors(self.adapter.scan())

    def _on_advertisement(self, heard: Advertisement) -> None:
        uuids = _service_uuids(heard.data)
        if not self.is_allowed_uuid(uuids):
            return
        data = AdvertisementData(
            local_name=_local_name(heard.data),
            manufacturer_data=dict(heard.data.get_all(AdvertisingData.Type.MANUFACTURER_SPECIFIC_DATA)),
            service_data={},
            service_uuids=uuids,
            tx_power=None,
            rssi=heard.rssi,
            platform_data=(heard,),
        )
        address = heard.address.to_string(False)
        self.call_detection_callbacks(
            self.create_or_update_device(address, address, data.local_name, heard.address, data), data
        )


def _local_name(data: AdvertisingData) -> str | None:
    return data.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME) or data.get(AdvertisingData.Type.SHORTENED_LOCAL_NAME)


_UUID_LISTS = (
    AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


def _service_uuids(data: AdvertisingData) -> list[str]:
    lists: list[list[UUID]] = [uuids for kind in _UUID_LISTS for uuids in data.get_all(kind)]  # type: ignore[misc]
    return [text_of_uuid(uuid) for uuids in lists for uuid in uuids]
