"""Looking at a running hub: every figure of a :class:`Standing`, gathered beside the intake."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from liaison.adapters.folder import FolderSourceSettings
from liaison.adapters.folder_write import FolderDestinationSettings
from liaison.hub.contracts import Verdict
from liaison.hub.engine import subject_keys_path
from liaison.hub.journal.database import READ_FAULTS
from liaison.hub.journal.records import AlertRecord, microseconds
from liaison.hub.journal.watching import WatchReader
from liaison.hub.switches import of_source
from liaison.hub.watch.calendar import HOUR, Hour, Usual
from liaison.hub.watch.meters import SourceMeter, quantile
from liaison.hub.watch.standing import (
    DestinationStanding,
    DiskStanding,
    FileStanding,
    HoldStanding,
    Parts,
    SourceStanding,
    Standing,
)
from liaison.hub.watch.traffic import Traffic
from liaison.hub.watch.troubles import COMMIT_LATE, Kind, duration
from liaison.service.certificates import certificate_files
from liaison.service.configuration import Configuration
from liaison.service.running import RunningHub

T = TypeVar("T")

#: A question to the journal may take a twentieth of the time: beyond, the next look waits.
_SHARE = 20.0
_OWNERS = ("hospital", "gcs")
_DAY = 86_400.0
_QUANTILES = (0.5, 0.95, 0.99)


class Looker:
    """Makes standings of one running hub."""

    def __init__(self, hub: RunningHub) -> None:
        self._hub = hub
        self._configuration = hub.configuration
        self._zones = {name: ZoneInfo(source.common.time_zone) for name, source in hub.configuration.sources.items()}
        #: One thread for all that is asked of the journal and the machine: never two questions at once on one connection.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="watch")
        self._reader: WatchReader | None = None
        self._traffic: Traffic | None = None
        self._usual: dict[str, tuple[int, Usual | None]] = {}
        self._heard: dict[str, float] = {}
        #: Refused and unanswered, and the counts of acknowledgements, at the look before.
        self._refused: dict[str, int] = {}
        self._counts: dict[str, list[int]] = {}
        self._began = hub.now().timestamp()
        self._vault = ""
        self._subjects = subject_keys_path(hub.configuration.journal_path)
        self._subjects_file = _identity(self._subjects)
        #: Hours that are over and are not noted in the journal yet.
        self.closed: tuple[Hour, ...] = ()
        #: Seconds to leave between two looks, by what the last one cost.
        self.rest = 0.0

    async def open(self) -> tuple[AlertRecord, ...]:
        """Open the journal beside the hub; answers the alerts that still matter."""
        return await self._in_thread(self._open, self._hub.now())

    def _open(self, now: datetime) -> tuple[AlertRecord, ...]:
        self._reader = WatchReader(self._configuration.journal_path)
        self._traffic = Traffic(self._reader, now)
        self._heard = self._traffic.heard(now)
        return self._reader.alerts(int((now.timestamp() - 8 * 7 * 24 * HOUR) * 1e6))

    async def close(self) -> None:
        """Close it, once the look that is under way has ended: whoever waited for that look may be gone."""
        await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def look(self, alerts: tuple[AlertRecord, ...], lag: float) -> Standing:
        """How the hub stands now; ``alerts`` are those known, ``lag`` how late the event loop is."""
        now = self._hub.now()
        heard = {name: meter.heard_at.timestamp() for name, meter in self._hub.meters.sources.items() if meter.heard_at is not None}
        pids = self._processes()
        standing = await self._in_thread(self._look, now, {**self._heard, **heard}, alerts, lag, pids)
        self._vault = standing.parts.vault
        return standing

    def parts(self) -> Parts:
        """Whether each part works, at once: on the event loop, without asking the disk."""
        hub = self._hub
        age = hub.journal.writer.meter.age
        ended, silent = set(hub.ended), self._not_listening()
        return Parts(
            journal=f"L'écrivain du journal n'a rien validé depuis {duration(age)}." if age > COMMIT_LATE else "",
            vault=self._vault,
            reader="" if hub.readers.process is not None else "Le processus de lecture des messages est absent.",
            sources=f"Sources qui n'écoutent pas : {', '.join(sorted(ended | silent))}." if ended | silent else "",
            dispatch="Des tâches d'envoi se sont arrêtées." if hub.dispatcher.ended else "",
        )

    def _not_listening(self) -> set[str]:
        return {
            name
            for name, source in self._hub.sources.items()
            if (ready := getattr(source, "listening", None)) is not None and not ready.is_set()
        }

    def _look(
        self, now: datetime, heard: Mapping[str, float], alerts: tuple[AlertRecord, ...], lag: float, pids: Mapping[str, int]
    ) -> Standing:
        """In a thread: the journal and the machine are asked."""
        assert self._reader is not None and self._traffic is not None
        began = time.perf_counter()
        configuration, parts = self._configuration, self.parts()
        self.closed += self._traffic.close_hours(now)
        opened = [alert for alert in alerts if alert.ended_at is None]
        holds = {owner: HoldStanding() for owner in _OWNERS}
        quarantined = 0
        for waiting in self._reader.waiting(configuration.holds, microseconds(now)):
            holds[waiting.owner] = HoldStanding(open=waiting.holds, overdue=waiting.overdue)
            quarantined += waiting.messages
        standing = Standing(
            at=now.timestamp(),
            journal=journal_name(configuration),
            up=now.timestamp() - self._began,
            commit_age=self._hub.journal.writer.meter.age,
            parts=Parts(
                journal=parts.journal,
                vault=self._keys_fault(),
                reader=parts.reader,
                sources=parts.sources,
                dispatch=parts.dispatch,
            ),
            sources={name: self._source(name, now, heard.get(name), alerts) for name in configuration.sources},
            destinations={name: self._destination(name, now) for name in configuration.destinations},
            holds=holds,
            quarantined=quarantined,
            certificates=certificates(configuration, now),
            disks=disks(configuration),
            files=self._files(),
            full=self._hub.disk.full,
            memory={name: _resident(pid) for name, pid in pids.items()},
            lag=lag,
            alerts={str(kind): sum(alert.kind == kind for alert in opened) for kind in Kind},
            untold=sum(alert.told_step < alert.step for alert in opened) if configuration.alerts.targets else 0,
        )
        self.rest = (time.perf_counter() - began) * _SHARE
        return standing

    def _source(self, name: str, now: datetime, heard: float | None, alerts: tuple[AlertRecord, ...]) -> SourceStanding:
        assert self._traffic is not None
        hour, known = int(now.timestamp()) // HOUR, self._usual.get(name)
        if known is None or known[0] != hour or known[1] is None:
            wrong = [(alert.since, alert.ended_at) for alert in alerts if _is_silence(alert, name)]
            spans = [(_hour(since), hour if end is None else _hour(end)) for since, end in wrong]
            known = self._usual[name] = hour, self._traffic.usual(name, now, self._zones[name], without=spans)
        meter = self._hub.meters.source(name)
        refused = meter.unanswered + meter.answers.get(Verdict.REFUSED, 0)
        before = self._refused.get(name, 0)
        self._refused[name] = refused
        source = self._hub.sources.get(name)
        return SourceStanding(
            silence=None if heard is None else max(0.0, now.timestamp() - heard),
            limit=None if known[1] is None else known[1].limit,
            usual=None if known[1] is None else known[1].messages,
            listening=name not in self._not_listening(),
            paused=self._hub.switches.stopped(of_source(name)),
            connections=len(getattr(source, "connections", ())),
            refused=refused - before,
            told=next((alert.since / 1e6 for alert in alerts if alert.ended_at is None and _is_silence(alert, name)), None),
            ack=self._percentiles(name, meter),
        )

    def _percentiles(self, name: str, meter: SourceMeter) -> dict[str, float]:
        """Of what was answered since the look before."""
        counts = list(meter.seconds.counts)
        before = self._counts.get(name, [0] * len(counts))
        self._counts[name] = counts
        since = [now - then for now, then in zip(counts, before, strict=True)]
        return {str(part): value for part in _QUANTILES if (value := quantile(meter.seconds.bounds, since, part)) is not None}

    def _destination(self, name: str, now: datetime) -> DestinationStanding:
        assert self._reader is not None
        backlog = self._reader.backlog(name)
        oldest = 0.0 if backlog.oldest is None else max(0.0, now.timestamp() - backlog.oldest / 1000)
        paused = self._hub.switches.stopped(*self._hub.dispatcher.switches(name))
        return DestinationStanding(backlog=backlog.deliveries, oldest=oldest, paused=paused)

    def _files(self) -> dict[str, FileStanding]:
        """The files in use, and what they are in place of."""
        limit = self._configuration.alerts.stale * _DAY
        return {
            each.name: FileStanding(age=each.days_old * _DAY, limit=limit, refused=each.refused)
            for each in self._hub.addresses.status()
        }

    def _keys_fault(self) -> str:
        """Whether the store of subject keys is still the file that the hub opened."""
        try:
            with self._subjects.open("rb") as file:
                if file.read(16) == b"SQLite format 3\0" and _identity(self._subjects) == self._subjects_file:
                    return ""
        except OSError:
            pass
        return f"Le fichier des clés des patients {self._subjects} n'est plus celui que la plateforme a ouvert."

    def _processes(self) -> dict[str, int]:
        pids = {"hub": os.getpid()}
        if (reader := self._hub.readers.process) is not None:
            pids["reader"] = reader
        return pids | {f"worker-{number}": pid for number, pid in enumerate(self._hub.workers.running, 1)}


#: What reading the journal for a look may raise.
LOOK_FAULTS: tuple[type[Exception], ...] = (*READ_FAULTS, OSError)


def certificates(configuration: Configuration, now: datetime) -> dict[str, float | None]:
    """Days left of each certificate file that the configuration names; None of one that cannot be read."""
    return {
        each.owner if each.key == "certificate" else f"{each.owner}, {each.key}": (
            None if each.ends is None else (each.ends - now).total_seconds() / _DAY
        )
        for each in certificate_files(configuration)
    }


def disks(configuration: Configuration) -> dict[str, DiskStanding]:
    """The disks that the hub writes to: the journal's, the keys', those of its folders."""
    folders: dict[str, Path] = {"journal": configuration.journal_path.parent}
    for name, source in configuration.sources.items():
        if isinstance(source.settings, FolderSourceSettings):
            folders[f"source {name}"] = Path(source.settings.path)
    for name, destination in configuration.destinations.items():
        if isinstance(destination.settings, FolderDestinationSettings):
            folders[f"destination {name}"] = Path(destination.settings.path)
    found: dict[str, DiskStanding] = {}
    for about, folder in folders.items():
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            continue
        found[about] = DiskStanding(free=usage.free, size=usage.total)
    return found


def reference_files(configuration: Configuration, now: datetime) -> dict[str, FileStanding]:
    """The files that are published anew from time to time, as they lie there: for a hub that cannot say which it has in use."""
    files = {"annuaire": configuration.directory_path, "liste blanche": configuration.white_list_path}
    found: dict[str, FileStanding] = {}
    for about, path in files.items():
        if path is not None:
            try:
                age = now.timestamp() - path.stat().st_mtime
            except OSError:
                continue
            found[about] = FileStanding(age=max(0.0, age), limit=configuration.alerts.stale * _DAY)
    return found


def journal_name(configuration: Configuration) -> str:
    """What tells one hub's journal from another's, without saying where it is."""
    return hashlib.sha256(str(configuration.journal_path.resolve()).encode()).hexdigest()[:16]


def _is_silence(alert: AlertRecord, source: str) -> bool:
    return alert.kind == Kind.SILENCE and alert.about == source


def _hour(at: int) -> int:
    return at // (HOUR * 1_000_000)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _resident(pid: int) -> int:
    """Resident bytes of a process; 0 when it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
