"""A running hub: everything built from a configuration, started in order, stopped the other way, bounded."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import structlog

from liaison.adapters.budget import ByteBudget
from liaison.adapters.fhir import FhirServer
from liaison.adapters.smtp import SmtpSubmission
from liaison.hub.claims import Claimed, Needless, Withheld
from liaison.hub.clock import ClockWatch
from liaison.hub.contracts import Destination, Parcel, Reading, Source
from liaison.hub.dispatch import Dispatcher, Parcels, Station
from liaison.hub.engine import Engine, Journal
from liaison.hub.explain import Explanation, explain_taken
from liaison.hub.follower import Follower
from liaison.hub.intake import Taken
from liaison.hub.journal.restore import restoring_path
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.letters import LetterParcels
from liaison.hub.parcels import DeclarationParcels, EventParcels, EventShelf
from liaison.hub.policy import Policy
from liaison.hub.readers import Readers
from liaison.hub.switches import Switches, of_source
from liaison.hub.vault.keys import MasterKeys, create_keys, load_keys
from liaison.hub.vault.ledger import Ledger
from liaison.hub.vault.sealing import Vault
from liaison.hub.watch.meters import Meters
from liaison.hub.workers import Workers
from liaison.service.act import control_path
from liaison.service.addresses import Addresses
from liaison.service.certificates import CertificateWatch
from liaison.service.configuration import Configuration, DestinationConfiguration
from liaison.service.control import ControlSocket
from liaison.service.directory_file import Progress
from liaison.service.disk import DiskWatch
from liaison.service.going_live import going_live
from liaison.service.hold_clock import HoldClock
from liaison.service.kinds import DESTINATION_KINDS, build_destination, build_source
from liaison.service.mail_senders import mail_sender, senders_of
from liaison.service.retiring import Retiring
from liaison.service.secrets import SecretError
from liaison.service.speakers import domains, establishments, profiles
from liaison.service.units_file import UnmappedUnits, units_by_source

if TYPE_CHECKING:
    from liaison.service.api import FollowApi

log = structlog.get_logger()

#: Seconds that sources get to answer what they took, and dispatch to end what is under way.
_DRAIN = 15.0
#: Seconds between two writings of the units that no referential has.
_SAVE_UNITS = 60.0


class StartError(Exception):
    """The hub cannot start; says what is missing and what to do, in French."""


class RunningHub:
    """A hub in this process. Use as an asynchronous context manager; the sources listen inside."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        on_message: Callable[[Explanation], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        progress: Progress | None = None,
    ) -> None:
        self.configuration = configuration
        self.addresses = Addresses(configuration, clock=clock)
        self.addresses.take(progress)
        self.policy = build_policy(configuration, self.addresses)
        self._unmapped = UnmappedUnits(configuration.journal_path.parent, self.policy.letters.units)
        self.sources: dict[str, Source] = {}
        self.destinations: dict[str, Destination] = {}
        self._on_message = on_message
        self._clock = clock
        self._serving: list[asyncio.Task[None]] = []
        self._control: ControlSocket | None = None
        #: What looks at the clock beside the traffic.
        self._watches: list[asyncio.Task[None]] = []
        self.api: FollowApi | None = None
        self.meters = Meters()
        self.workers = Workers()
        self.readers = Readers(self.policy.profiles)
        self.budget = ByteBudget(configuration.hub.intake_bytes)

    async def __aenter__(self) -> Self:
        configuration = self.configuration
        vault = Vault(open_keys(configuration))
        self.journal = open_journal(configuration, vault, self._clock)
        self.journal.writer.start()
        self.switches = Switches(self.journal.reader.switches())
        await self.journal.eraser.finish(self.journal.erased)
        self.disk = DiskWatch(configuration.journal_path.parent, configuration.hub.keep_free)
        await self.readers.start()
        shelf = EventShelf()
        self.engine = Engine(
            journal=self.journal,
            policy=self.policy,
            clock=self._clock,
            shelf=shelf,
            reader=self.readers,
            observe=self._observe,
            refuses=lambda source: self.disk.full or self.switches.stopped(of_source(source)),
            meters=self.meters,
        )
        self.retiring = Retiring(self.journal, configuration.retention, self._clock, busy=lambda: self.engine.busy)
        stations = {name: self._station(name, declared, shelf) for name, declared in configuration.destinations.items()}
        self.dispatcher = Dispatcher(
            writer=self.journal.writer,
            reader=self.journal.reader,
            stations=stations,
            last_look=PolicyLastLook(self.policy),
            clock=self._clock,
            busy=lambda: self.engine.busy,
            switches=self.switches,
            meters=self.meters,
        )
        self.engine.dispatch_with(self.dispatcher)
        self.follower = Follower(
            writer=self.journal.writer,
            reader=self.journal.reader,
            policy=self.policy,
            blind=vault.blind,
            clock=self._clock,
            wake=self.dispatcher.wake,
        )
        steps = ClockWatch(
            reader=self.journal.reader,
            writer=self.journal.writer,
            clock=self._clock,
            last_id=self.journal.writer.last_id,
            wake=self.dispatcher.wake,
        )
        # What lives as long as the hub is of no interest to the collector, and a full collection must not stall the intake.
        sys.setswitchinterval(0.001)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        await self.dispatcher.start()
        self.follower.start()
        for name, declared in configuration.sources.items():
            source = build_source(declared, self.budget)
            self.sources[name] = source
            self._serving.append(asyncio.create_task(source.run(self.engine.receive), name=f"source-{name}"))
        await self._listening()
        if configuration.api.listen:
            from liaison.service.api import FollowApi  # its web framework is 15 MB that most hubs have no use for

            try:
                self.api = FollowApi(self, configuration.api, configuration.folder)
                await self.api.start()
            except (OSError, ValueError, SecretError) as error:
                await self.__aexit__(None, None, None)
                raise StartError(f"[api] : {error}") from error
        self._control = ControlSocket(self, control_path(configuration.journal_path))
        await self._control.start()
        holds = HoldClock(reader=self.journal.reader, writer=self.journal.writer, hours=configuration.holds, clock=self._clock)
        self._watches += [
            asyncio.create_task(CertificateWatch(configuration, self._clock).run(), name="certificates"),
            asyncio.create_task(self.addresses.watch(), name="addresses"),
            asyncio.create_task(self._save_units(), name="units"),
            asyncio.create_task(holds.run(), name="hold-clock"),
            asyncio.create_task(steps.run(), name="clock-steps"),
            asyncio.create_task(self.retiring.run(), name="retention"),
        ]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._control is not None:
            await self._control.stop()
        if self.api is not None:
            await self.api.stop()
        for task in (*self._serving, *self._watches):
            task.cancel()
        if self._watches or self._serving:
            await asyncio.wait((*self._watches, *self._serving), timeout=_DRAIN)
        await self.follower.stop()
        await self.dispatcher.stop(_DRAIN)
        await self.workers.close()
        await self.readers.stop()
        self.retiring.close()
        await self.journal.close()
        await asyncio.to_thread(self._save_units_now)
        log.info("hub.stopped")

    def now(self) -> datetime:
        """The time, as the hub has it."""
        return self._clock()

    @property
    def ended(self) -> tuple[str, ...]:
        """Sources that ended by themselves, which none should."""
        return tuple(task.get_name().removeprefix("source-") for task in self._serving if task.done())

    async def failed(self) -> BaseException:
        """Wait until a source ends by itself, which none should; answers why."""
        done, _ = await asyncio.wait(self._serving, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).exception() or RuntimeError("a source ended")

    async def _listening(self) -> None:
        """Let every source reach its listening, and fail now if one could not."""
        for name, source in self.sources.items():
            ready = getattr(source, "listening", None)
            waits = [task for task in self._serving if task.get_name() == f"source-{name}"]
            if ready is not None:
                waiting = asyncio.ensure_future(ready.wait())
                await asyncio.wait([waiting, *waits], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
            for task in waits:
                if task.done():
                    await self.__aexit__(None, None, None)
                    raise StartError(f"la source « {name} » ne peut écouter : {task.exception()}") from task.exception()

    async def _save_units(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_UNITS)
            await asyncio.to_thread(self._save_units_now)

    def _save_units_now(self) -> None:
        try:
            self._unmapped.save()
        except OSError as error:
            log.warning("units.not_saved", error=error.strerror)

    def _observe(self, reading: Reading, taken: Taken) -> None:
        self._unmapped.note(reading.sender.source, reading.facts, self._clock)
        if self._on_message is not None:
            self._on_message(explain_taken(reading, taken))

    def _station(self, name: str, declared: DestinationConfiguration, shelf: EventShelf) -> Station:
        destination = build_destination(declared, self.configuration.folder)
        self.destinations[name] = destination
        letters = LetterParcels(
            reader=self.journal.reader,
            workers=self.workers,
            profiles=self.policy.profiles,
            sender=mail_sender(self.configuration, declared),
            sender_of=senders_of(self.configuration, declared, self.policy.letters.units),
            clock=self._clock,
        )
        events: Parcels = EventParcels(self.journal.reader, shelf)
        if isinstance(destination, FhirServer):
            events = DeclarationParcels(self.journal.reader, shelf, destination.settings.identifiers)
        is_mail = isinstance(destination, SmtpSubmission)
        return Station(
            name=name,
            destination=destination,
            parcels=_Parcels(events, letters),
            attempt_seconds=150.0 if is_mail else 35.0,
            workers=4 if is_mail else 32,
            keeps_ids=not is_mail,
            only_letters="events" not in DESTINATION_KINDS[declared.common.kind].takes,
        )


class _Parcels:
    """Letters for deliveries of documents, envelopes for events."""

    def __init__(self, events: Parcels, letters: Parcels) -> None:
        self._events = events
        self._letters = letters

    async def make(self, claimed: Claimed) -> Parcel | Withheld | Needless:
        return await (self._events if claimed.delivery.document is None else self._letters).make(claimed)


def build_policy(configuration: Configuration, addresses: Addresses | None = None) -> Policy:
    """The policy that a configuration declares, with the addresses in use; without them the files are read and nothing is written.

    Raises:
        ReferenceFileError: the directory, the white list or a referential of units cannot be used.
    """
    if addresses is None:
        addresses = Addresses(configuration)
        addresses.look_only()
    rules = configuration.letter_rules(addresses.directory, addresses.known_domains, units_by_source(configuration))
    carried = [source.common for source in configuration.sources.values()]
    return Policy(
        letters=rules,
        profiles=profiles(configuration),
        domains=domains(configuration),
        matching=frozenset(code for source in carried for code in source.match_by_ins),
        several=len({code for source in carried for code in establishments(source)}) > 1,
        destinations=tuple(dict.fromkeys(route.to for route in configuration.routes)),
        going_live=going_live(configuration),
        lists=configuration.lists,
    )


def open_keys(configuration: Configuration) -> MasterKeys:
    """The key file, made on first start for an empty journal in a test territory and never otherwise.

    Raises:
        StartError: the journal has content and its keys are gone.
        KeyFileError: the file cannot be used.
    """
    path, journal = configuration.keys_path, configuration.journal_path
    if path.exists():
        return load_keys(path)
    if configuration.hub.territory != "test" or _has_content(journal):
        raise StartError(f"les clés {path} manquent alors que le journal {journal} existe : restaurez-les, rien n'est démarré.")
    return create_keys(path)


def open_journal(configuration: Configuration, vault: Vault, clock: Callable[[], datetime]) -> Journal:
    """The configured journal, for this process alone.

    Raises:
        StartError: a restoration of it was not finished.
        JournalError, KeyFileError: it cannot be opened.
    """
    path = configuration.journal_path
    if restoring_path(path).exists():
        raise StartError(f"la restauration de {path} n'est pas finie : relancer « liaison journal restore ».")
    return Journal(path, vault, clock, territory=configuration.hub.territory, ledger=Ledger(configuration.ledger_path))


def _has_content(journal: Path) -> bool:
    return journal.exists() and journal.stat().st_size > 0
