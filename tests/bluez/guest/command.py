"""The command `bluewatt` in the guest, where the package is a folder and not installed."""

import sys

from bluewatt.cli import main

sys.exit(main())
