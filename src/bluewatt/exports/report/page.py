"""The page of a report: HTML with its style inside, everything from the capture escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from bluewatt.exports.charts.series import UnknownRegister
from bluewatt.exports.charts.svg import Lane, line_chart, timeline
from bluewatt.exports.report.guesses import guesses
from bluewatt.model.dialogue.sentences import value_words
from bluewatt.model.json_objects import utc_text
from bluewatt.tables.metrics import metric
from bluewatt.tables.products import product_name

if TYPE_CHECKING:
    from bluewatt.exports.report.report import CaptureReport, DeviceReport

_MOST_CHANGES = 12
_FEWEST_POINTS = 2

_STYLE = """
:root{color-scheme:light dark;--ink:#1b2a38;--soft:#5d6f80;--line:#d9e1e8;--paper:#fff;--card:#f6f8fa;--mark:#0a6ebd}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#94a3b1;--line:#30404e;--paper:#10181f;--card:#17222c;
--mark:#58a6ff}}
*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;
max-width:1140px;padding:28px 24px 60px}h1{font-size:26px;margin:0}h2{font-size:19px;margin:38px 0 10px}
h3{font-size:16px;margin:26px 0 8px}p{margin:6px 0}.soft{color:var(--soft)}table{border-collapse:collapse;width:100%;
font-size:14px}th{text-align:left;color:var(--soft);font-weight:600}th,td{padding:5px 12px 5px 0;vertical-align:top;
border-bottom:1px solid var(--line)}td.n,th.n{text-align:right}code{font:13px ui-monospace,monospace;
white-space:nowrap}code.long{white-space:normal;overflow-wrap:anywhere}.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:14px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 12px 4px}
figcaption{font-size:14px;font-weight:600}svg{width:100%;height:auto;display:block}svg text{font-size:10.5px;
fill:var(--soft)}.timeline text{font-size:12px}.axis,.grid{stroke:var(--line);fill:none}polyline{fill:none;
stroke:var(--mark);stroke-width:1.6;stroke-linejoin:round}circle,rect{fill:var(--mark)}rect{opacity:.85}
.tick{stroke:var(--mark);opacity:.55}.unit{color:var(--soft);font-weight:400}
"""


def page(report: CaptureReport) -> str:
    """Return the report as one HTML file."""
    devices = sorted(report.devices.values(), key=lambda one: (-one.messages, -one.frames))
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(report.source)} · Bluewatt</title><style>{_STYLE}</style></head><body>",
        *_head(report, devices),
        *_devices(devices),
        *_timeline(devices),
        *(part for device in devices for part in _device(device)),
        *_unknown(devices),
        *_messages(report),
        *_damages(report),
        '<p class="soft">This report names devices by address. Before you send it to somebody, make it anew from a'
        " redacted capture. Times are UTC.</p></body></html>",
    ]
    return "\n".join(parts)


def _head(report: CaptureReport, devices: Sequence[DeviceReport]) -> Iterator[str]:
    yield f"<h1>{escape(report.source.rpartition('/')[2])}</h1>"
    if devices:
        first, last = min(one.first for one in devices), max(one.last for one in devices)
        count = f"{len(devices)} device{'s' if len(devices) != 1 else ''}"
        frames, messages = sum(one.frames for one in devices), sum(one.messages for one in devices)
        yield (
            f'<p class="soft">{utc_text(first)} to {utc_text(last)} · {count} · {frames} advertisements'
            f" · {messages} lines of conversation</p>"
        )


def _name(one: DeviceReport) -> str:
    return one.device.name or (_product(one) if one.device.product_id is not None else one.device.address)


def _product(one: DeviceReport) -> str:
    return product_name(one.device.product_id) if one.device.product_id is not None else "–"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table; the cells of `rows` are HTML already, and the columns `numbers` are aligned to the right."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if number in numbers else ''}>{cell}</{tag}>" for number, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{cells(heads, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def _devices(devices: Sequence[DeviceReport]) -> Iterator[str]:
    yield "<h2>Devices</h2>"
    rows = [
        (
            escape(one.device.name or "–"), escape(_product(one)), f"<code>{escape(one.device.address)}</code>",
            str(one.frames), str(one.messages), str(len(one.connections)), utc_text(one.first)[11:19],
            utc_text(one.last)[11:19], "<br>".join(escape(f"{why} ({n})") for why, n in one.silent.most_common(3)),
        )
        for one in devices
    ]  # fmt: skip
    heads = (
        "Name",
        "Product",
        "Address",
        "Heard",
        "Lines",
        "Connections",
        "First (UTC)",
        "Last (UTC)",
        "Without values",
    )
    yield _table(heads, rows, numbers=(3, 4, 5))


def _timeline(devices: Sequence[DeviceReport]) -> Iterator[str]:
    lanes = [Lane(_name(one), one.connections, one.moments) for one in devices]
    if lanes:
        yield '<h2>Timeline</h2><p class="soft">Bars are connections, strokes advertisements; times are UTC.'
        yield "The charts below leave out long silences.</p>"
        yield timeline(lanes, min(one.first for one in devices), max(one.last for one in devices))


def _device(one: DeviceReport) -> Iterator[str]:
    charts = [series for series in one.series.values() if len(series.points) >= _FEWEST_POINTS]
    moving = sorted((series for series in charts if series.lowest != series.highest), key=lambda series: series.name)
    if not one.latest and not charts:
        return
    yield f'<h2>{escape(_name(one))} <span class="unit">{escape(one.device.address)}</span></h2>'
    if moving:
        yield '<div class="charts">'
        for series in moving:
            unit = f' <span class="unit">{escape(series.unit)}</span>' if series.unit else ""
            yield f"<figure><figcaption>{escape(_label(series.name))}{unit}</figcaption>{line_chart(series)}</figure>"
        yield "</div>"
    still = {series.name: series for series in charts if series not in moving}
    rows = [
        (escape(_label(key)), escape(value_words(value)), f"<code>0x{value.register:04X}</code>",
         str(value.instance) if value.instance is not None else "–")
        for key, value in sorted(one.latest.items()) if key not in {series.name for series in moving}
    ]  # fmt: skip
    rows += [
        (escape(_label(name)), escape(f"{series.lowest:.6g} {series.unit}".rstrip()), "", "")
        for name, series in sorted(still.items())
        if name not in one.latest
    ]
    if rows:
        yield "<h3>Values that did not change</h3>" + _table(("Quantity", "Value", "Register", "Instance"), rows)


def _label(key: str) -> str:
    known = metric(key)
    return known.label if known else key.replace("_", " ").capitalize()


def _unknown(devices: Sequence[DeviceReport]) -> Iterator[str]:
    found = [(one, unknown) for one in devices for unknown in one.unknown.values()]
    if not found:
        return
    yield "<h2>Registers nobody has described yet</h2>"
    heads = ("Register", "Instance", "Device", "Times", "Content over time (UTC)", "Could be")
    yield _table(heads, [_unknown_row(one, unknown) for one, unknown in found], numbers=(3,))


def _unknown_row(one: DeviceReport, unknown: UnknownRegister) -> tuple[str, ...]:
    shown = unknown.changes[:_MOST_CHANGES]
    changes = "<br>".join(
        f"{utc_text(at)[11:19]} <code class=long>{raw.hex(' ') or 'empty'}</code>" for at, raw in shown
    )
    more = len(unknown.changes) - len(shown)
    return (
        f"<code>0x{unknown.register:04X}</code>",
        "–" if unknown.instance is None else str(unknown.instance),
        escape(_name(one)),
        str(unknown.count),
        changes + (f"<br>… {more} more changes" if more else ""),
        "<br>".join(map(escape, guesses(unknown, one.series.values()))) or "nothing known",
    )


def _messages(report: CaptureReport) -> Iterator[str]:
    if report.messages:
        yield "<h2>Messages</h2>"
        rows = [
            (escape(message.replace("_", " ")), escape(direction or "–"), str(count))
            for (direction, message), count in report.messages.most_common()
        ]
        yield _table(("Message", "From", "Times"), rows, numbers=(2,))


def _damages(report: CaptureReport) -> Iterator[str]:
    if report.damages:
        yield "<h2>What could not be decoded</h2>"
        yield _table(("When (UTC)", "What"), [(utc_text(at)[11:23], escape(text)) for at, text in report.damages])
