"""Key files."""

from __future__ import annotations

from pathlib import Path

from bluewatt.services.simulator import Site


def write_keys_of(site: Site, path: Path) -> Path:
    """A key file with the keys of all devices of a site, as only its owner may read it."""
    path.write_text("".join(f'"{device.address}" = "{device.key.hex()}"\n' for device in site.devices), "utf-8")
    path.chmod(0o600)
    return path
