"""Bytes in and out: Bluetooth adapters, the virtual radio, captures and recordings, values over MQTT."""
