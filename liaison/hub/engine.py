"""The engine: what a message goes through from a source's bytes to its commit, and the dispatch beside it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Protocol

import structlog
from msgspec.structs import replace

from liaison.finding import Finding, Severity
from liaison.hub.contracts import Answer, Reading, Sender, Verdict
from liaison.hub.dispatch import Dispatcher
from liaison.hub.erasing import Eraser
from liaison.hub.intake import Intake, Taken, seen_name
from liaison.hub.journal.checkpoint import Checkpointer
from liaison.hub.journal.database import Database, JournalError
from liaison.hub.journal.queries import JournalReader, StoredMessage
from liaison.hub.journal.records import HoldRecord
from liaison.hub.journal.writer import CommandFailed, Writer
from liaison.hub.parcels import EventShelf
from liaison.hub.policy import Policy
from liaison.hub.reading import LARGE, unreadable
from liaison.hub.reading_file import read_any
from liaison.hub.replay import Replay
from liaison.hub.resolution import BlindIndex
from liaison.hub.vault.ledger import Ledger
from liaison.hub.vault.sealing import Vault
from liaison.hub.vault.subjects import SubjectKeys
from liaison.hub.watch.meters import Meters
from liaison.mappings.interpretation import SourceProfile
from liaison.rules.foreign import Parted, part

log = structlog.get_logger()

#: Messages in hand from which dispatch gives way to the intake: a flood, not a busy day. With 8 a feed of 600 a second with letters
#: in it kept dispatch back for minutes.
_BUSY_FROM = 20


class Journal:
    """An open journal: its writer, a reader beside it, and the vault that both need."""

    def __init__(
        self,
        path: Path,
        vault: Vault,
        clock: Callable[[], datetime],
        *,
        territory: str = "test",
        ledger: Ledger | None = None,
    ) -> None:
        """Raises JournalError when it cannot be opened, is another hub's, or was begun in another territory."""
        self.vault = vault
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ExitStack() as opened:
            opened.enter_context(alone(path))
            keys_path = subject_keys_path(path)
            keys = opened.enter_context(closing(SubjectKeys(keys_path, vault, ledger=ledger)))
            #: Subjects that were erased before this start.
            self.erased = keys.erased
            database = opened.enter_context(closing(Database(path, keys, vault.check_value)))
            if (begun := database.begun_in(territory)) != territory:
                raise JournalError(
                    f"le journal {path} a été commencé dans un territoire « {begun} » : ses identités et ce qui y attend n'ont rien à "
                    f"faire en « {territory} ». Indiquez un autre journal, neuf."
                )
            self.incarnation = database.start_incarnation()
            self.readable = opened.enter_context(closing(SubjectKeys(keys_path, vault, readonly=True)))
            self.reader = opened.enter_context(closing(JournalReader(path, self.readable)))
            self.writer = Writer(database, clock, checkpointer=Checkpointer(path))
            self.eraser = opened.enter_context(
                closing(Eraser(path=path, store=keys_path, writer=self.writer, reader=self.reader, readable=self.readable))
            )
            self._opened = opened.pop_all()

    async def close(self) -> None:
        """Commit what waits, then close."""
        await self.writer.stop()
        self._opened.close()


@contextmanager
def alone(path: Path) -> Generator[None]:
    """Take the journal for this process: two hubs on one journal would each believe themselves alone.

    Raises:
        JournalError: another process has it.
    """
    descriptor = os.open(path.with_name(path.name + "-lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise JournalError(f"le journal {path} est déjà ouvert par une autre plateforme : arrêtez-la d'abord.") from error
    finally:
        os.close(descriptor)


def subject_keys_path(journal: Path) -> Path:
    """Where a journal's subject keys are: beside it, in a file of their own."""
    return journal.with_name(journal.name + "-subjects")


class Reader(Protocol):
    """Makes readings. Never raises for what a message holds."""

    async def read(self, raw: bytes, sender: Sender, *, now: datetime, reply_id: str) -> Reading: ...


class ReaderHere:
    """Reads in this process: for tests, and where a hub is too small to be worth a second process."""

    def __init__(self, profiles: Mapping[str, SourceProfile]) -> None:
        self._profiles = profiles

    async def read(self, raw: bytes, sender: Sender, *, now: datetime, reply_id: str) -> Reading:
        """Read at once; a large message in a thread, so that the others' answers do not wait for it."""
        profile = self._profiles[sender.source]
        if len(raw) < LARGE:
            return read_any(raw, sender, profile, now=now, reply_id=reply_id)
        return await asyncio.to_thread(read_any, raw, sender, profile, now=now, reply_id=reply_id)


class Engine:
    """Takes messages in; wakes dispatch for what they led to."""

    def __init__(
        self,
        *,
        journal: Journal,
        policy: Policy,
        clock: Callable[[], datetime],
        shelf: EventShelf,
        reader: Reader | None = None,
        observe: Callable[[Reading, Taken], None] | None = None,
        refuses: Callable[[str], bool] = lambda source: False,
        meters: Meters | None = None,
    ) -> None:
        self._reader: Reader = reader or ReaderHere(policy.profiles)
        self._journal = journal
        journal.writer.crowded = lambda: self.busy
        self._policy = policy
        self._clock = clock
        self._shelf = shelf
        self._observe = observe
        self._refuses = refuses
        self._meters = meters or Meters()
        self._replies = 0
        self._in_hand = 0
        self._wake: Callable[[str, int], None] = lambda destination, patient: None

    def dispatch_with(self, dispatcher: Dispatcher) -> None:
        """Tell ``dispatcher`` of lanes that have work."""
        self._wake = dispatcher.wake

    async def receive(self, raw: bytes, sender: Sender) -> Answer:
        """Read a message, commit what it says, answer. What it holds never raises.

        Raises:
            CommitUnknown: nobody can say whether it is in the journal; the caller must not answer.
        """
        began = perf_counter()
        meter = self._meters.source(sender.source)
        self._in_hand += 1
        try:
            reading = await self._read(raw, sender)
            if self._refuses(sender.source):
                # Not in the journal, and told so: the sender keeps it and comes back.
                meter.answered(Verdict.REFUSED, perf_counter() - began, now=self._clock(), duplicate=False)
                return Answer(verdict=Verdict.REFUSED, reply=reading.reply_as(Verdict.REFUSED, ()))
            taken = await self._commit(reading)
        except Exception:
            meter.unanswered += 1
            raise
        finally:
            self._in_hand -= 1
        meter.answered(taken.answer.verdict, perf_counter() - began, now=self._clock(), duplicate=taken.duplicate)
        self._tell(taken)
        if self._observe is not None and not taken.duplicate:
            self._observe(reading, taken)
        return taken.answer

    def _tell(self, taken: Taken) -> None:
        for event in taken.events:
            self._shelf.put(event)
        for destination, patient in taken.wake:
            self._wake(destination, patient)

    async def replay(self, hold: HoldRecord, stored: StoredMessage, *, file: bool = False) -> Taken | None:
        """Take a message in quarantine again; None when it waits no more. What it leads to is woken as for any other.
        ``file`` says that it came as a file of whatever format.

        Raises:
            LookupError: its source is no longer configured, or its bytes were erased.
            CommandFailed: its decision or its rows failed; nothing changed.
            CommitUnknown: nobody can say.
        """
        sender = Sender(source=stored.line.source, file=file)
        if stored.raw is None or sender.source not in self._policy.profiles:
            raise LookupError(hold.message)
        reading = await self._read(stored.raw, sender)
        command = replace(intake(reading, self._policy, self._journal.vault), replays=hold.message)
        taken = await self._journal.writer.commit(Replay(hold=hold.id, intake=command))
        if taken is not None:
            self._tell(taken)
        return taken

    @property
    def busy(self) -> bool:
        """Whether many messages wait for their answer."""
        return self._in_hand > _BUSY_FROM

    async def _read(self, raw: bytes, sender: Sender) -> Reading:
        self._replies += 1
        now = self._clock()
        reply_id = f"LIA{now:%Y%m%d%H%M%S}{self._replies % 1_000_000:06d}"
        if sender.fault is not None:
            return unreadable(raw, sender, self._policy.profiles[sender.source], sender.fault, now, reply_id)
        try:
            reading = await self._reader.read(raw, sender, now=now, reply_id=reply_id)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs this message its reading, not its keeping
            log.error("reading.failed", source=sender.source, error=type(error).__name__)
            return unreadable(raw, sender, self._policy.profiles[sender.source], OUR_FAULT, now, reply_id)
        return replace(reading, findings=(*sender.noticed, *reading.findings)) if sender.noticed else reading

    async def _commit(self, reading: Reading) -> Taken:
        vault = self._journal.vault
        try:
            return await self._journal.writer.commit(intake(reading, self._policy, vault))
        except CommandFailed as error:
            # A fault of ours on this one message: keep it whole, say so, go on.
            log.error("intake.failed", source=reading.sender.source, kind=reading.ids.kind, error=type(error.__cause__).__name__)
            kept = quarantined(reading, OUR_FAULT)
            return await self._journal.writer.commit(intake(kept, self._policy, vault))


def intake(reading: Reading, policy: Policy, vault: Vault) -> Intake:
    """The command that takes a reading."""
    profile = policy.profiles.get(reading.sender.source)
    return Intake(
        reading=reading,
        policy=policy,
        index=BlindIndex(vault.blind, reading.establishment, policy.domains),
        digest=vault.digest(reading.ids.content),
        name=seen_name(reading),
        parted=Parted(facts=reading.facts) if profile is None else part(reading.facts, profile),
    )


def quarantined(reading: Reading, finding: Finding) -> Reading:
    """The reading with nothing left to fold, its bytes kept for a person."""
    findings = (*reading.findings, finding)
    return Reading(
        raw=reading.raw,
        sender=reading.sender,
        ids=reading.ids,
        facts=(),
        findings=findings,
        verdict=Verdict.QUARANTINED,
        reply=reading.reply_as(Verdict.QUARANTINED, findings),
        reply_as=reading.reply_as,
        packed=reading.packed,
        establishment=reading.establishment,
    )


OUR_FAULT = Finding(
    severity=Severity.FATAL,
    where="MSH",
    rule="hub.fault",
    message="La plateforme n'a pas su traiter ce message : il est gardé entier et l'exploitant est prévenu.",
    remedy="Rien à corriger dans le message tant que l'exploitant ne le demande pas.",
    condition="207",
)
