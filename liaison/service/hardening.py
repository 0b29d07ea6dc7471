"""What keeps a process that holds health data from leaving traces of it by accident."""

from __future__ import annotations

import os
import resource


def harden() -> None:
    """No core dumps, and files that only their owner can read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
