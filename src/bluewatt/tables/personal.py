"""Registers that tell who or where somebody is: replaced before a capture is shared, beside those marked secret."""

from __future__ import annotations

PERSONAL = frozenset(
    {
        "serial_number", "custom_name", "description_2", "unique_id", "universal_control_number", "ble_mac_address",
        "mqtt_vrm_id", "mqtt_ipv4_address", "network_id", "unique_id_0", "unique_id_1", "unique_id_2", "unique_id_3",
        "unique_id_4",
    }
)  # fmt: skip
"""Keys of the register table whose whole content is replaced."""

NODE_LISTS = "network_nodes"
"""The layout of registers that list other devices by their numbers."""
