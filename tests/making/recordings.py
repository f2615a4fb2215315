"""Recordings and captures of frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bluewatt.model.reading import Frame
from bluewatt.transports.capture.recording import encode_frame


def write_recording(path: Path, frames: Iterable[Frame]) -> Path:
    """A recording (JSON Lines) of frames, as `--record` writes it."""
    path.write_bytes(b"".join(map(encode_frame, frames)))
    return path
