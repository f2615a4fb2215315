"""The version, on the ground floor: everybody may say it."""

from __future__ import annotations

__version__ = "0.1.0"
