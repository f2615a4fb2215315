"""Nothing of one machine, and nothing secret, is in a committed file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MACHINE = re.compile(
    rb"/(?:work|root|home/\w+|Users/\w+)/[\w.]|/opt/(?:wheels|pypi)|file://|[a-z]:\\\\users\\\\", re.IGNORECASE
)
INDEX = re.compile(rb"(?:extra-)?index-url\s*=|find-links\s*=|pythonhosted|/simple/?\b", re.IGNORECASE)
PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:ghp|glpat|xox[bp])[-_][0-9A-Za-z]{16,}")
KEY = re.compile(rb"(?<![0-9a-zA-Z-])[0-9a-fA-F]{32}(?![0-9a-zA-Z-])")

IS_A_LIST_OF_THESE = {"test_no_secrets_or_paths.py", "lock"}
"""This test, and scripts/lock, which refuses the same words."""
EXAMPLE_KEYS = {b"0123456789abcdef0123456789abcdef", b"00112233445566778899aabbccddeeff", b"f" * 32, b"0" * 32}
"""Keys no device has; documentation may print them."""


@pytest.fixture(scope="module")
def texts(committed: list[Path], root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in committed if path.name not in IS_A_LIST_OF_THESE}


def findings(texts: dict[str, bytes], pattern: re.Pattern[bytes]) -> list[str]:
    return [f"{name}: {match.group().decode()}" for name, text in texts.items() for match in pattern.finditer(text)]


@pytest.mark.parametrize("pattern", [MACHINE, INDEX, PRIVATE], ids=["machine paths", "package indexes", "private keys"])
def test_no_file_holds(texts: dict[str, bytes], pattern: re.Pattern[bytes]) -> None:
    assert findings(texts, pattern) == []


def test_no_device_key_outside_the_tests(texts: dict[str, bytes]) -> None:
    shipped = {name: text for name, text in texts.items() if not name.startswith("tests/")}
    keys = [line for line in findings(shipped, KEY) if line.rpartition(" ")[2].lower().encode() not in EXAMPLE_KEYS]
    assert keys == []


@pytest.mark.parametrize(
    ("pattern", "sample"),
    [
        (MACHINE, b'open("/home/anna/keys.toml")'),
        (MACHINE, b"wheel @ file:///srv/wheels"),
        (INDEX, b"--extra-index-url=https://packages.example/simple"),
        (PRIVATE, b"-----BEGIN EC PRIVATE KEY-----"),
        (KEY, b'KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"'),
    ],
)
def test_the_patterns_find(pattern: re.Pattern[bytes], sample: bytes) -> None:
    assert pattern.search(sample)
