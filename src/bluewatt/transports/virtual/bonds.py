"""The passkey and the bonds of an adapter that Bluewatt hosts itself."""

from __future__ import annotations

import json
from typing import Any

from bumble.keys import JsonKeyStore

from bluewatt.errors import ConfigError
from bluewatt.safe_write import replace_file
from bluewatt.secret import SecretNumber


class Passkey(SecretNumber):
    """A passkey of six digits; bumble takes 0 for none, and 000000 is the most common PIN."""

    def __bool__(self) -> bool:
        return True


class Bonds(JsonKeyStore):
    """A store of bonds in a file that only its owner may read, from its first byte; bumble would let everybody."""

    async def save(self, db: dict[str, dict[str, dict[str, Any]]]) -> None:
        """Write the file; raises ConfigError if that is impossible."""
        try:
            self.filename.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self.filename, json.dumps(db, sort_keys=True, indent=4).encode(), private=True)
        except OSError as error:
            raise ConfigError(
                f"cannot keep bonds in {self.filename}: {error.strerror}", path=str(self.filename)
            ) from error
