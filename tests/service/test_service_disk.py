"""Whether intake stops before the disk is full, and goes on by itself."""

from __future__ import annotations

import os
from pathlib import Path

from liaison.service.disk import DiskWatch

BLOCK = 4096


class Disk:
    """A file system and a clock that a test decides."""

    def __init__(self, free: int) -> None:
        self.free, self.now, self.looks, self.broken = free, 0.0, 0, False

    def statvfs(self, folder: Path) -> os.statvfs_result:
        self.looks += 1
        if self.broken:
            raise OSError(5, "Input/output error")
        # Of the free blocks, some are the superuser's own: only those of everybody count.
        return os.statvfs_result((BLOCK, BLOCK, 10**9, self.free // BLOCK + 10_000, self.free // BLOCK, 0, 0, 0, 0, 255))

    def watch(self, keep_free: int) -> DiskWatch:
        return DiskWatch(Path("/nowhere"), keep_free, statvfs=self.statvfs, clock=lambda: self.now)


def test_it_is_full_below_what_stays_free_and_no_more_once_there_is_clearly_room() -> None:
    disk = Disk(100 * BLOCK)
    watch = disk.watch(100 * BLOCK)
    seen: list[bool] = []
    for free in (100, 99, 100, 109, 110, 100, 99):
        disk.free = free * BLOCK
        disk.now += 1.0
        seen.append(watch.full)
    assert seen == [False, True, True, True, False, False, True]


def test_the_file_system_is_asked_once_a_second_at_most() -> None:
    disk = Disk(0)
    watch = disk.watch(1)
    assert all(watch.full for _ in range(1_000)) and disk.looks == 1
    disk.now = 1.0
    assert watch.full and disk.looks == 2


def test_a_file_system_that_does_not_answer_changes_nothing() -> None:
    disk = Disk(0)
    watch = disk.watch(1)
    assert watch.full
    disk.broken, disk.now = True, 1.0
    assert watch.full
    disk.broken, disk.free, disk.now = False, 10 * BLOCK, 2.0
    assert not watch.full


def test_a_real_disk_has_some_room(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, 1)
    assert watch.free > 1 and not watch.full and DiskWatch(tmp_path, 10**18).full
