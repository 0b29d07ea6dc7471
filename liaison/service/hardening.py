"""What keeps a process that holds health data from leaving traces of it by accident."""

from __future__ import annotations

import os
import resource


def harden() -> None:
    """No core dumps, files that only their owner can read, and as many open files as the system grants: each connection is one."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.umask(0o077)
