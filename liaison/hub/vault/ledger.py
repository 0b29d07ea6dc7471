"""The erasure ledger as a file: which subjects were erased, kept apart from the journal and its subject keys.

The store of subject keys has the ledger too, and dies with the disk that it is on: a backup restored without the erasures that came
after it would bring people back. One line an erasure, a time and an opaque id; only ever appended to, durable before a key is destroyed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT[0-9:.+]{8,30}Z?) ([0-9a-z:._-]{1,120})")


class Ledger:
    """One ledger file. It need not exist before the first erasure."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, str]:
        """Subjects and when they were erased. A line that a crash cut short was never acted upon, and is passed over."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        found: dict[str, str] = {}
        for line in raw.split(b"\n"):
            if match := _LINE.fullmatch(line):
                found.setdefault(match[2].decode(), match[1].decode())
        return found

    def append(self, erased: Mapping[str, str]) -> None:
        """Note erasures durably: subject to time (ISO 8601, UTC). Raises OSError."""
        if not erased:
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            text = "".join(f"{at} {subject}\n" for subject, at in erased.items())
            os.write(descriptor, ("\n" if torn else "").encode() + text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
