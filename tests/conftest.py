"""Fixtures shared by all tests."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

# A test may be slow on a busy machine: no example has a time limit, no test is a timing test.
settings.register_profile("steady", deadline=None)
settings.register_profile("many", deadline=None, max_examples=2000)
settings.load_profile("steady")

# Commands that the tests start inherit what is ignored: a shell's background job ignores SIGINT, nohup SIGHUP.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def no_keys_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Commands find no key file, keys or settings but those of the test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    for name in ("BLUEWATT_KEYS", "BLUEWATT_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the checkout (vectors, captures); the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the reference folder ../shared is not here")
    return SHARED
