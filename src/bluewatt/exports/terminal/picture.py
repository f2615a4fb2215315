"""The picture of the README: a terminal as an SVG file that loads nothing from the network."""

from __future__ import annotations

import io
import re

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, RenderableType

from bluewatt.safe_write import Writable


def write_picture(out: Writable, picture: RenderableType, *, width: int, title: str) -> None:
    """Write what a terminal of `width` columns shows to an SVG file."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(picture)
    without_fonts = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title=title, code_format=without_fonts, unique_id="bluewatt")
    out.write(svg.encode())
