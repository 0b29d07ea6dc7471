"""Erasing a person from a running hub: which records are theirs, the commands in their order, and what a start finds unfinished.

First the key goes, which closes everything sealed under it, in every backup of the journal too. Then what was open ends; then messages
in which nobody was recognised, but which speak of the person, lose their bytes; then what led to the person goes, piece by piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from liaison.care.patient import Patient
from liaison.hub.erasure import SWEEP_DUE, CancelAll, Forget, Strip, Sweep, Swept, family, speaks_of
from liaison.hub.journal.orphans import OWNED, PIECE, Orphans
from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import number_id, text_id
from liaison.hub.journal.rows import Opener
from liaison.hub.journal.writer import Writer
from liaison.hub.vault.sealing import SealBroken
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys, scrub

log = structlog.get_logger()

#: Rows that one command takes out: a fraction of a second's worth of intake.
_STEP = 250
_MOST_RECORDS = 64


async def _at_once() -> None:
    """Nobody to give way to."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did, in counts."""

    #: Ids of the records that were one person's.
    patients: tuple[str, ...]
    #: Deliveries that were under way or held, and were ended.
    cancelled: int
    #: Messages in which nobody was recognised and that spoke of the person.
    stripped: int
    #: Whether the key store's log was emptied; otherwise a reader held it, and the next start or erasure does it.
    scrubbed: bool


class Eraser:
    """Erases through one journal's writer."""

    def __init__(
        self,
        *,
        path: Path,
        store: Path,
        writer: Writer,
        reader: JournalReader,
        readable: SubjectKeys,
    ) -> None:
        self._store = store
        self._writer = writer
        self._reader = reader
        self._readable = readable
        #: Awaited before each step, so that the intake goes first.
        self.idle: Callable[[], Awaitable[None]] = _at_once
        self._orphans = Orphans(path)
        self._alone = asyncio.Lock()

    def close(self) -> None:
        """Close what it reads with."""
        self._orphans.close()

    def patient_at(self, blind: bytes) -> int | None:
        """Where an identifier leads."""
        return self._orphans.patient_at(blind)

    def family(self, patient: int) -> dict[int, Patient]:
        """The records of one person: the one that stands and all that were merged into it, from any of them. Empty when unknown."""
        found: dict[int, Patient] = {}
        wanted = [patient]
        while wanted and len(found) < _MOST_RECORDS:
            number = wanted.pop()
            if number not in found:
                try:
                    record = self._reader.patient(number)
                except SubjectErased:
                    record = None
                if record is not None:
                    found[number] = record.state
                    wanted += family([record.state])
        return found

    async def erase(
        self, patient: int, progress: Callable[[str, int, int], None] = lambda what, done, total: None
    ) -> Erased | None:
        """Erase the person of a record, and all records merged with it; None when there is nobody.

        Raises:
            CommandFailed, CommitUnknown: what was done is in the ledger, and the next start goes on.
        """
        async with self._alone:
            while records := self.family(patient):
                # Before the key goes: afterwards nobody can say what the person's numbers were.
                stripped = await self._strip(list(records.values()), progress)
                if await self._writer.commit(Forget(patients=tuple(records), in_ledger=True)):
                    break
            else:
                return None
            self._readable.forget(text_id(number) for number in records)
            cancelled = [await self._cancel(number) for number in records]
            scrubbed = await asyncio.to_thread(scrub, self._store)
            await self._sweep(progress)
            log.info("erasure.done", records=len(records), cancelled=sum(cancelled), stripped=stripped, scrubbed=scrubbed)
            return Erased(
                patients=tuple(text_id(number) for number in records),
                cancelled=sum(cancelled),
                stripped=stripped,
                scrubbed=scrubbed,
            )

    async def retire(self, patient: int, before: datetime) -> int:
        """Forget a person of whom nothing was heard since ``before``; answers how many records went. No ledger: age says it again."""
        async with self._alone:
            records = self.family(patient)
            if not records or any(state.recorded_at >= before for state in records.values()):
                return 0
            for number in records:
                deliveries, _, holds = await asyncio.to_thread(self._orphans.still_open, number)
                if deliveries or holds or await asyncio.to_thread(self._orphans.proposals, number):
                    return 0
            if not await self._writer.commit(Forget(patients=tuple(records), in_ledger=False), rides=True):
                return 0
            self._readable.forget(text_id(number) for number in records)
            return len(records)

    async def finish(self, erased: frozenset[str]) -> None:
        """Go on with what a crash interrupted, all but the sweep; ``erased`` is the ledger."""
        async with self._alone:
            numbers = [number_id(subject) for subject in erased if ":" not in subject]
            left = await asyncio.to_thread(self._orphans.present, numbers)
            for number in left:
                await self._writer.commit(Forget(patients=(number,), in_ledger=True))
            for number in await asyncio.to_thread(self._orphans.open_without_patient):
                await self._cancel(number)
            if left or await asyncio.to_thread(self._orphans.mark, SWEEP_DUE) is not None:
                await asyncio.to_thread(scrub, self._store)

    async def sweep(self) -> None:
        """Take out what led to people who are gone, if anybody went since the last time."""
        async with self._alone:
            if await asyncio.to_thread(self._orphans.mark, SWEEP_DUE) is not None:
                await self._sweep(lambda what, done, total: None)

    async def _cancel(self, patient: int) -> int:
        deliveries, lanes, holds = await asyncio.to_thread(self._orphans.still_open, patient)
        proposals = await asyncio.to_thread(self._orphans.proposals, patient)
        command = CancelAll(
            patient=patient,
            deliveries=tuple(deliveries),
            lanes=tuple(lanes),
            holds=tuple(holds),
            proposals=tuple(proposals),
        )
        await self._writer.commit(command, rides=True)
        return len(deliveries)

    async def _strip(self, states: list[Patient], progress: Callable[[str, int, int], None]) -> int:
        """Messages in which nobody was recognised, sealed under their source's month, that speak of the person."""
        values = sorted({one.value for state in states for one in state.identifiers})
        opener = Opener(self._readable)
        after, done, stripped = 0, 0, 0
        while True:
            last, messages = await asyncio.to_thread(self._orphans.unassigned, after)
            if last is None:
                return stripped
            told: list[int] = []
            for number, subject, raw, blob in messages:
                try:
                    if (raw or blob) and speaks_of(opener.message(number, subject, raw, blob), values):
                        told.append(number)
                except (SubjectErased, SealBroken):
                    continue
            if told:
                holds = await asyncio.to_thread(self._orphans.holds_of_messages, told)
                await self._writer.commit(Strip(messages=tuple(told), holds=tuple(holds)), rides=True)
            after, done, stripped = last, done + len(messages), stripped + len(told)
            progress("messages sans patient", done, done)
            await self.idle()

    async def _sweep(self, progress: Callable[[str, int, int], None]) -> None:
        for table in OWNED:
            # Rows that come after those that are there now are somebody else's: a busy intake is not run after.
            until = await asyncio.to_thread(self._orphans.last, table)
            total, done, after = await asyncio.to_thread(self._orphans.count, table), 0, 0
            while True:
                await self.idle()
                last, rows = await asyncio.to_thread(self._orphans.owned, table, after, until)
                if last is None:
                    break
                for start in range(0, len(rows), _STEP):
                    part = tuple(rows[start : start + _STEP])
                    await self._writer.commit(Sweep(owned=tuple((table, number) for number in part)), rides=True)
                after, done = last, min(done + PIECE, total)
                progress(table, done, total)
        total, done, reached = await asyncio.to_thread(self._orphans.count, "identifier"), 0, b""
        while True:
            await self.idle()
            end, entries = await asyncio.to_thread(self._orphans.identifiers, reached)
            if end is None:
                break
            for start in range(0, len(entries), _STEP):
                await self._writer.commit(Sweep(identifiers=tuple(entries[start : start + _STEP])), rides=True)
            reached, done = end, min(done + PIECE, total)
            progress("index", done, total)
        await self._writer.commit(Swept(), rides=True)
