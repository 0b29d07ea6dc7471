"""Killed at any moment, the hub keeps every message that it answered, and its lanes whole."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from liaison.hub.engine import Journal
from liaison.hub.vault.sealing import Vault
from tests.hub.bench import KEYS, Clock, faults_of_lanes

ROOT = Path(__file__).parents[2]
KILLS = 20


def test_what_was_answered_survives_every_kill(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.hub.crashing", str(tmp_path), str(KILLS), str(seed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    answered = ran.stdout.split()
    assert len(answered) > KILLS, "the kills came before any work"
    path = tmp_path / "journal.db"
    journal = Journal(path, Vault(KEYS), Clock())
    try:
        found = {line.control_id: line for line in journal.reader.messages()}
        assert set(answered) <= set(found), f"lost with seed {seed}"
        for line in found.values():
            stored = journal.reader.message(int(line.id, 16))
            assert stored is not None and stored.raw == line.control_id.encode()
        assert faults_of_lanes(path) == [], f"seed {seed}"
        assert journal.reader.counts().patients <= 3
    finally:
        journal.reader.close()
