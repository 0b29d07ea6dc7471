"""What is wrong with how a hub stands: one table of kinds, used by alerts, ``liaison check`` and monitoring systems alike. Pure."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from liaison.hub.watch.standing import Standing

#: Seconds without a commit from which the writer is not trusted to be at work: a pulse is due every ten.
COMMIT_LATE: Final = 60.0
#: Days before a certificate's end at which it is told, each once.
CERTIFICATE_DAYS: Final = (60, 30, 7)
_DAY: Final = 86_400.0


class Level(enum.IntEnum):
    """How bad it is, with the code that Nagios and Centreon read."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Kind(enum.StrEnum):
    """What can be wrong. ``docs/watching.md`` says for each what to do."""

    PART = "part"
    INTAKE = "intake"
    SILENCE = "silence"
    BACKLOG = "backlog"
    HOLD = "hold"
    CERTIFICATE = "certificate"
    DISK = "disk"
    STALE = "stale"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind of trouble is told."""

    title: str
    #: What to do first.
    remedy: str


WORDS: Mapping[Kind, Words] = {
    Kind.PART: Words(
        title="une partie de la plateforme ne fonctionne pas",
        remedy="Lire les dernières lignes du journal d'exploitation ; si rien ne revient en une minute, redémarrer la plateforme.",
    ),
    Kind.INTAKE: Words(
        title="des messages sont refusés ou restent sans réponse",
        remedy="Vérifier le disque du journal, puis le journal d'exploitation ; les hôpitaux renverront ce qui n'a pas reçu de réponse.",
    ),
    Kind.SILENCE: Words(
        title="une source se tait",
        remedy="Demander à l'hôpital si son flux est arrêté ; vérifier le VPN, le certificat et les refus de connexion.",
    ),
    Kind.BACKLOG: Words(
        title="une destination prend du retard",
        remedy="Lancer liaison check, qui essaie la destination, puis prévenir son exploitant ; rien n'est perdu, les envois attendent.",
    ),
    Kind.HOLD: Words(
        title="des retenues ont dépassé leur délai",
        remedy="Lancer liaison held list et décider des plus anciennes : des lettres attendent peut-être leur médecin.",
    ),
    Kind.CERTIFICATE: Words(
        title="un certificat arrive à son terme",
        remedy="Le renouveler, l'installer, redémarrer la plateforme ; prévenir le pair si l'autorité change.",
    ),
    Kind.DISK: Words(
        title="un disque se remplit",
        remedy="Agrandir le disque ou libérer de la place ; ne jamais effacer un fichier du journal.",
    ),
    Kind.STALE: Words(
        title="un fichier de référence n'est plus à jour",
        remedy="Reprendre le téléchargement du fichier ; il est repris sans redémarrer.",
    ),
}


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong now."""

    kind: Kind
    #: The source, destination, owner, part or file that it is about.
    about: str
    level: Level
    #: One French sentence: names of the configuration, counts and durations.
    text: str
    #: Counts up where a trouble is told more than once: a certificate at 60, 30 and 7 days.
    step: int = 1


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on something is wrong: a warning, then critical."""

    #: Minutes that the oldest open delivery of a destination has waited.
    backlog: tuple[float, float] = (60.0, 240.0)
    #: Percent of a disk that is free.
    disk: tuple[float, float] = (10.0, 5.0)
    #: Days that a certificate is still good for.
    certificate: tuple[float, float] = (60.0, 7.0)
    #: Holds past their time, of one owner.
    holds: tuple[float, float] = (1.0, 100.0)
    #: How many times the usual limit a source is silent.
    silence: tuple[float, float] = (1.0, 4.0)
    #: How many times its allowed age a reference file has.
    stale: tuple[float, float] = (1.0, 3.0)


def troubles(standing: Standing, limits: Limits) -> tuple[Trouble, ...]:
    """Everything that is wrong, from the limits on."""
    return (
        *_parts(standing),
        *_intake(standing),
        *_silence(standing, limits),
        *_backlog(standing, limits),
        *_holds(standing, limits),
        *_certificates(standing, limits),
        *_disks(standing, limits),
        *_files(standing, limits),
    )


def _parts(standing: Standing) -> Iterator[Trouble]:
    for part, text in standing.parts.broken.items():
        yield Trouble(kind=Kind.PART, about=part, level=Level.CRITICAL, text=text)


def _intake(standing: Standing) -> Iterator[Trouble]:
    if standing.full:
        text = "Le disque du journal est presque plein : les messages sont refusés, les hôpitaux les gardent."
        yield Trouble(kind=Kind.INTAKE, about="journal", level=Level.CRITICAL, text=text)
        return
    for name, source in standing.sources.items():
        if source.refused and not source.paused:
            text = f"{source.refused} messages de la source {name} ont été refusés ou sont restés sans réponse."
            yield Trouble(kind=Kind.INTAKE, about=name, level=Level.CRITICAL, text=text)


def _silence(standing: Standing, limits: Limits) -> Iterator[Trouble]:
    for name, source in standing.sources.items():
        if source.silence is None or math.isinf(limits.silence[0]):
            continue
        # What was told ends with a message only: a hub that starts again does not know less than the one before it.
        goes_on = source.told is not None and standing.at - source.silence < source.told
        # What the hub could not hear, because it did not run, is nobody's silence.
        watched = min(source.silence, standing.up)
        over = watched / source.limit if source.limit else 0.0
        if goes_on or over >= limits.silence[0]:
            level = Level.CRITICAL if over >= limits.silence[1] else Level.WARNING
            usual = "" if source.usual is None else f" D'ordinaire, {source.usual} messages par heure à ce moment de la semaine."
            text = f"La source {name} n'a rien envoyé depuis {duration(source.silence)}.{usual}"
            yield Trouble(kind=Kind.SILENCE, about=name, level=level, text=text)


def _backlog(standing: Standing, limits: Limits) -> Iterator[Trouble]:
    for name, destination in standing.destinations.items():
        if destination.backlog and (level := _above(destination.oldest / 60, limits.backlog)):
            stopped = " Une personne l'a mise en pause." if destination.paused else ""
            waits = f"{destination.backlog} envois attendent la destination {name}"
            text = f"{waits}, le plus ancien depuis {duration(destination.oldest)}.{stopped}"
            yield Trouble(kind=Kind.BACKLOG, about=name, level=level, text=text)


def _holds(standing: Standing, limits: Limits) -> Iterator[Trouble]:
    for owner, hold in standing.holds.items():
        if level := _above(hold.overdue, limits.holds):
            who = {"hospital": "l'hôpital", "gcs": "le GCS"}.get(owner, owner)
            text = f"{hold.overdue} retenues attendent {who} au-delà de leur délai, sur {hold.open}."
            yield Trouble(kind=Kind.HOLD, about=owner, level=level, text=text)


def _certificates(standing: Standing, limits: Limits) -> Iterator[Trouble]:
    for about, days in standing.certificates.items():
        if days is None:
            text = f"Le certificat ({about}) ne peut être lu."
            yield Trouble(kind=Kind.CERTIFICATE, about=about, level=Level.CRITICAL, text=text, step=len(CERTIFICATE_DAYS))
        elif level := _below(days, limits.certificate):
            when = f"n'est plus valide depuis {duration(-days * _DAY)}" if days < 0 else f"n'est plus valable que {days:.0f} jours"
            step = max(1, sum(days <= each for each in CERTIFICATE_DAYS))
            yield Trouble(kind=Kind.CERTIFICATE, about=about, level=level, text=f"Le certificat ({about}) {when}.", step=step)


def _disks(standing: Standing, limits: Limits) -> Iterator[Trouble]:
    for about, disk in standing.disks.items():
        if level := _below(disk.percent, limits.disk):
            text = f"Il reste {disk.percent:.1f} % du disque ({about}), soit {disk.free / 1e9:.1f} Go."
            yield Trouble(kind=Kind.DISK, about=about, level=level, text=text)


def _files(standing: Standing, limits: Limits) -> Iterator[Trouble]:
    for about, file in standing.files.items():
        if file.refused:
            text = f"Le nouveau fichier ({about}) n'est pas utilisé, l'ancien reste en service : {file.refused}"
            yield Trouble(kind=Kind.STALE, about=about, level=Level.WARNING, text=f"{text.rstrip('.')}.")
        elif level := _above(file.age / file.limit, limits.stale):
            text = f"Le fichier ({about}) date de {duration(file.age)} ; il devrait avoir moins de {duration(file.limit)}."
            yield Trouble(kind=Kind.STALE, about=about, level=level, text=text)


def _above(value: float, limits: tuple[float, float]) -> Level:
    return Level.CRITICAL if value >= limits[1] else Level.WARNING if value >= limits[0] else Level.OK


def _below(value: float, limits: tuple[float, float]) -> Level:
    return Level.CRITICAL if value <= limits[1] else Level.WARNING if value <= limits[0] else Level.OK


def duration(seconds: float) -> str:
    """A length of time in French, as people say it: ``3 min``, ``2 h 05``, ``3 j``."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02}"
    return f"{minutes // 1440} j"
