"""Captures inside tar and tar.gz (a sysdiagnose), whole, cut and damaged; and the files of hcidump."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import talks
from bluewatt.cli import main
from bluewatt.errors import CaptureError
from bluewatt.transports.capture.untar import BLOCK, Untar, is_tar
from bluewatt.wire.containers import Packet, is_capture, open_container, read_packets
from bluewatt.wire.containers.hcidump import HcidumpReader, is_hcidump
from bluewatt.wire.containers.packetlogger import PacketLoggerReader
from tests.captures.test_phones import LOG, ROWS, decoded, pklg, zipped

Captured = pytest.CaptureFixture[str]
DEEP = "sysdiagnose_2026.11.25_iPhone/" + "/".join(["logs"] * 40) + "/Bluetooth/bluetoothd-hci-latest.pklg"
"""Too long for the name field, so every writer has its own way of keeping it."""


def tarred(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        folder = tarfile.TarInfo("sysdiagnose/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("latest")
        link.type, link.linkname = tarfile.SYMTYPE, "x" * (100 if form == tarfile.USTAR_FORMAT else 200)
        archive.addfile(link)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def unpacked(data: bytes, size: int = 1 << 16) -> dict[str, bytes]:
    return {name: b"".join(pieces) for name, pieces in Untar("x.tar", blocks(data, size))}


FILES = {"a.txt": b"hello", DEEP: pklg("<"), "empty": b"", "ümlaut.bin": bytes(range(256)) * 5, "even": bytes(1024)}
FORMS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}


@pytest.mark.parametrize("form", ["pax", "gnu"])
@pytest.mark.parametrize("size", [1, 511, 512, 1 << 16])
def test_every_file_comes_out_whole_with_its_name(form: str, size: int) -> None:
    assert unpacked(tarred(FILES, FORMS[form]), size) == FILES


def test_the_prefix_of_a_name_and_files_nobody_takes() -> None:
    deep = "/".join(["folder"] * 25) + "/name.pklg"
    data = tarred({deep: b"content", "b": b"more"}, tarfile.USTAR_FORMAT)
    assert unpacked(data) == {deep: b"content", "b": b"more"}
    assert [name for name, _ in Untar("x.tar", blocks(data, 100))] == [deep, "b"]


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not installed")
@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "pax"])
def test_what_gnu_tar_writes_is_read(form: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "log.pklg").write_bytes(pklg())
    with (tmp_path / "in" / "holes").open("wb") as sparse:
        sparse.seek(1 << 20)
        sparse.write(b"end")
    command = ["tar", "-C", str(tmp_path), f"--format={form}", *(["--sparse"] if "gnu" in form else []), "-cf", "-"]
    data = subprocess.run([*command, "in"], check=True, capture_output=True).stdout
    assert is_tar(data)
    assert unpacked(data)["in/log.pklg"] == pklg()


def test_a_number_in_base_256_is_read() -> None:
    data = bytearray(tarred({"a": b"content"}, tarfile.USTAR_FORMAT))
    at = data.index(b"a\0")
    data[at + 124 : at + 136] = b"\x80" + bytes(10) + b"\x07"
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = f"{sum(data[at : at + BLOCK]):06o}\0 ".encode()
    assert unpacked(bytes(data)) == {"a": b"content"}


WHOLE = {
    "tar": tarred({"notes.txt": b"nothing", DEEP: LOG}),
    "tar.gz": gzip.compress(tarred({"notes.txt": b"nothing", DEEP: LOG})),
    "PacketLogger": gzip.compress(tarred({DEEP: pklg("<"), "other.bin": bytes(4000)}, tarfile.GNU_FORMAT)),
    "a gzipped log": tarred({f"{DEEP}.gz": gzip.compress(LOG)}),
    "beside an archive of something else": tarred({"a.zip": zipped({"b": b"c"}), "b.tar": tarred({}), DEEP: LOG}),
    "without an end": tarred({DEEP: LOG}).rstrip(b"\0") + bytes(-len(LOG) % BLOCK),
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archives") / "plain.btsnoop"
    path.write_bytes(LOG)
    return path


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_a_capture_in_a_tar_tells_the_same_conversation(
    content: bytes, expected: Path, tmp_path: Path, capfd: Captured
) -> None:
    path = tmp_path / "wrong.suffix"
    path.write_bytes(content)
    found = decoded(path, capfd)
    assert len(found) > 60
    assert found == decoded(expected, capfd)


def test_a_capture_in_a_tar_is_made_safe_to_share(expected: Path, tmp_path: Path, capfd: Captured) -> None:
    path, out, plain = tmp_path / "s.tar.gz", tmp_path / "out.btsnoop", tmp_path / "plain.btsnoop"
    path.write_bytes(WHOLE["tar.gz"])
    assert main(["decode", str(path), "--redact", str(out)]) == 0
    assert main(["decode", str(expected), "--redact", str(plain)]) == 0
    assert out.read_bytes() == plain.read_bytes()


@pytest.mark.parametrize("pack", [tarred, zipped], ids=["tar", "zip"])
def test_the_captures_of_an_archive_become_parquet(
    pack: Callable[[dict[str, bytes]], bytes], making: SimpleNamespace, rows: list, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the batch extra is not installed")
    written = {name: making.CONTAINERS[name](rows) for name in ("btsnoop-h4", "pcap-201", "hcidump")}
    path, alone = tmp_path / "archive", tmp_path / "alone"
    path.write_bytes(pack({"notes.txt": b"nothing", **written}))
    alone.write_bytes(written["hcidump"])
    counts = []
    for source in (path, alone):
        main(["decode", str(source), "--format", "parquet", "-o", str(source.with_suffix(".parquet"))])
        counts.append(parquet.read_table(source.with_suffix(".parquet")).num_rows)
    assert counts[1]
    assert counts[0] == 3 * counts[1]


BAD = {
    "no log": (tarred({"a.txt": b"hello"}), "no Bluetooth log in the tar"),
    "an archive inside": (tarred({"inner.zip": zipped({"x.log": LOG})}), "inner.zip is a zip inside a tar"),
    "a tar inside": (tarred({"inner.tar": tarred({DEEP: LOG})}), "inner.tar is a tar inside a tar"),
    "cut in a file": (tarred({DEEP: LOG}).partition(LOG[:16])[0] + LOG[:500], "the tar is cut, at byte"),
    "cut in a header": (tarred({"a": b"", "b": b"1"})[: 4 * BLOCK + 100], "the tar is cut, at byte"),
    "gzip cut": (gzip.compress(tarred({DEEP: LOG}))[:-900], "gzip data is cut"),
    "a long name of a gigabyte": (b"", "the tar is damaged"),
}


def damaged() -> bytes:
    """A long name whose header claims a gigabyte, its checksum right."""
    header = bytearray(BLOCK)
    header[:12], header[124:136], header[156] = b"././@LongLink"[:12], b"10000000000\0", ord("L")
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + bytes(5000)


@pytest.mark.parametrize(("content", "hint"), BAD.values(), ids=BAD)
def test_bad_archives_are_code_7_with_a_reason(content: bytes, hint: str, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content or damaged())
    assert main(["decode", "--json", str(path)]) == 7
    told = capfd.readouterr()
    assert hint in told.err
    assert str(path) in told.err
    assert "Traceback" not in told.err


def test_what_stood_before_a_damaged_header_is_told(tmp_path: Path, capfd: Captured) -> None:
    content = bytearray(tarred({DEEP: LOG, "next": b"more"}, tarfile.GNU_FORMAT))
    content[content.index(b"next\0") + 3] ^= 0xFF
    path = tmp_path / "bad.tar"
    path.write_bytes(content)
    assert main(["decode", "--json", str(path)]) == 7
    told = capfd.readouterr()
    assert len(told.out.splitlines()) > 60
    assert "the tar is damaged, at byte" in told.err


def test_a_tar_needs_the_memory_of_a_block() -> None:
    """Two gigabytes of a file nobody takes, made as they are asked for."""
    header = tarfile.TarInfo("huge.bin")
    header.size = 2 << 30
    largest = 0

    def stream() -> Iterator[bytes]:
        yield header.tobuf(tarfile.GNU_FORMAT)
        yield from (bytes(1 << 20) for _ in range(2 << 10))
        yield tarred({DEEP: b"content"}, tarfile.GNU_FORMAT)

    untar = Untar("x.tar", stream())
    for name, pieces in untar:
        for piece in pieces:
            largest = max(largest, len(piece), len(untar._buffer))
        assert name in ("huge.bin", DEEP)
    assert largest <= 3 << 20


def test_flipped_bytes_raise_nothing_but_a_capture_error() -> None:
    chance = random.Random(5)
    whole = tarred(FILES, tarfile.GNU_FORMAT)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(CaptureError):
            unpacked(bytes(data[: chance.randrange(len(data))]), chance.randrange(1, 2000))


# hcidump


def hcidump(rows: list[tuple[int, bytes]] = ROWS) -> bytes:
    file = b""
    for number, (way, packet) in enumerate(rows):
        at, micro = talks.START + number // 100, number % 100 * 10_000
        file += struct.pack("<HBBII", len(packet), way, 0, at, micro) + packet
    return file


def packets(data: bytes, size: int = 1 << 16, problems: list[CaptureError] | None = None) -> list[Packet]:
    told = problems.append if problems is not None else None
    return [packet for some in read_packets(blocks(data, size), told) for packet in some]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: tarred({"old.dump": data})])
def test_hcidump_tells_the_same_conversation(pack: object, expected: Path, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "old.dump"
    path.write_bytes(pack(hcidump()))  # type: ignore[operator]
    assert decoded(path, capfd) == decoded(expected, capfd)


@pytest.mark.skipif(shutil.which("hcidump") is None, reason="hcidump is not installed")
def test_hcidump_itself_reads_as_many_packets(tmp_path: Path) -> None:
    path = tmp_path / "old.dump"
    path.write_bytes(hcidump())
    shown = subprocess.run(["hcidump", "-R", "-r", str(path)], check=True, capture_output=True, text=True).stdout
    assert sum(line[:1] in "<>" for line in shown.splitlines()) == len(ROWS) == len(packets(hcidump()))


FIRST = {
    "event": (1, b"\x04\x0e\x04\x01\x03\x0c\x00"),
    "command": (0, b"\x01\x0c\x20\x02\x01\x00"),
    "long command": (0, b"\x01\x13\x0c\xf8" + bytes(248)),
    "data sent": (0, b"\x02\x40\x20\x0b\x00" + bytes(11)),
    "data received": (1, b"\x02\x40\x20\x0b\x00" + bytes(11)),
}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_hcidump_is_told_from_packetlogger_by_its_first_packet(first: tuple[int, bytes]) -> None:
    data = hcidump([first, *ROWS])
    assert is_hcidump(data)
    assert is_capture(data[:24])
    assert isinstance(open_container(data)[0], HcidumpReader)
    assert len(packets(data)) == len(ROWS) + 1


@pytest.mark.parametrize("order", "><")
@pytest.mark.parametrize("first", range(len(ROWS)))
def test_packetlogger_is_never_taken_for_hcidump(order: str, first: int) -> None:
    types = {(1, 0): 0x00, (4, 1): 0x01, (2, 0): 0x02, (2, 1): 0x03}
    way, packet = ROWS[first]
    head = struct.pack(order + "IIIB", 8 + len(packet), talks.START, 5, types[packet[0], way]) + packet[1:]
    assert isinstance(open_container(head + bytes(24))[0], PacketLoggerReader)
    assert isinstance(open_container(pklg(order))[0], PacketLoggerReader)


def test_a_packet_that_fits_both_is_packetlogger() -> None:
    """An event of a maker's own whose third byte is what hcidump would need for a command of that length."""
    event = b"\xff\x04" + bytes([4 + 7]) + bytes(3)
    head = struct.pack("<IIIB", 9 + len(event), talks.START, 5, 1) + event
    assert isinstance(open_container(head + bytes(24))[0], PacketLoggerReader)


@pytest.mark.parametrize("lie", [0xFFFF, 0, 3, 700])
def test_a_lying_length_costs_its_neighbours_only(lie: int) -> None:
    data = bytearray(hcidump())
    whole = packets(bytes(data))
    offset = whole[30][4]
    struct.pack_into("<H", data, offset, lie)
    problems: list[CaptureError] = []
    found = packets(bytes(data), 777, problems)
    assert problems
    assert all(offset <= problem.offset for problem in problems)
    assert found[:30] == whole[:30]
    assert found[-1] == whole[-1]


def test_a_cut_is_told_with_its_place(making: SimpleNamespace) -> None:
    data = hcidump()
    last = packets(data)[-1][4]
    for cut in range(last + 1, len(data)):
        with pytest.raises(CaptureError, match="in the middle of a packet") as told:
            packets(data[:cut])
        assert told.value.offset == last


def test_json_of_an_old_dump_has_readings(tmp_path: Path, capfd: Captured, making: SimpleNamespace, rows: list) -> None:
    path = tmp_path / "adverts.dump"
    path.write_bytes(making.CONTAINERS["hcidump"](rows))
    main(["decode", "--json", str(path)])
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {line["device"]["address"] for line in lines} <= {row.address for row in rows}
    assert lines
