"""``liaison check --monitor``: one line and an exit code as Nagios and Centreon read them (Monitoring Plugins' guidelines, §2.1, §2.6)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from liaison.hub.watch.standing import Standing
from liaison.hub.watch.troubles import Level, Limits, troubles
from liaison.service.asking import NoAnswer, ask_hub, ask_journal, monitor_url
from liaison.service.configuration import Configuration
from liaison.service.looking import journal_name

#: Seconds for the whole answer, and the part of them that the hub itself has.
PATIENCE = 3.0
_FOR_THE_HUB = 0.5
#: Seconds from which a standing is too old to be believed, beyond three looks.
_OLD = 90.0
_SHOWN = 4
_CALM = "rien à signaler"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered."""

    level: Level
    text: str
    perfdata: tuple[str, ...] = ()

    def __str__(self) -> str:
        # Neither a bar nor a second line may come from what is told: both mean something to whoever reads it.
        text = " ".join(self.text.replace("|", "/").split())
        return f"LIAISON {self.level.name} - {text}" + (f" | {' '.join(self.perfdata)}" if self.perfdata else "")


def limits_from(base: Limits, warnings: tuple[str, ...], criticals: tuple[str, ...]) -> Limits:
    """The limits with those of the command line. Raises ValueError, in French."""
    told = {name: list(getattr(base, name)) for name in base.__struct_fields__}
    for place, given in ((0, warnings), (1, criticals)):
        for each in given:
            name, equal, number = each.partition("=")
            if not equal or name not in told:
                raise ValueError(f"seuil inconnu ; écrire NOM=NOMBRE, avec NOM parmi : {', '.join(told)}")
            try:
                told[name][place] = float(number)
            except ValueError:
                raise ValueError(f"le seuil {name} n'est pas un nombre") from None
    return Limits(**{name: (pair[0], pair[1]) for name, pair in told.items()})


def monitor_line(configuration: Configuration, limits: Limits, *, url: str = "", seconds: float = PATIENCE) -> Line:
    """Ask the hub, then its journal if it does not answer; always answers, within ``seconds``."""
    ends = time.monotonic() + seconds
    asked, silent = url or monitor_url(configuration.monitor), ""
    if asked:
        try:
            standing = ask_hub(asked, seconds * _FOR_THE_HUB, certificate=configuration.monitor.certificate)
            if url or standing.journal == journal_name(configuration):
                return line_of(standing, limits, interval=configuration.monitor.interval)
        except NoAnswer as error:
            silent = str(error)
            if url:
                return Line(level=Level.CRITICAL, text=silent)
    # A hub that does not listen, or found its address taken by another, tells of itself through its journal only.
    try:
        standing = ask_journal(configuration, datetime.now(UTC), max(0.1, ends - time.monotonic()))
    except NoAnswer as error:
        return Line(level=Level.CRITICAL, text=" ; ".join(text for text in (silent, str(error)) if text))
    line = line_of(standing, limits, interval=configuration.monitor.interval)
    if not silent:
        return line
    return Line(level=Level.CRITICAL, text=f"{silent} ; d'après le journal : {line.text}", perfdata=line.perfdata)


def line_of(standing: Standing, limits: Limits, *, interval: float = 30.0) -> Line:
    """What a standing comes to."""
    found = sorted(troubles(standing, limits), key=lambda trouble: -trouble.level)
    level = max((trouble.level for trouble in found), default=Level.OK)
    texts = [trouble.text for trouble in found[:_SHOWN]]
    if len(found) > _SHOWN:
        texts.append(f"Et {len(found) - _SHOWN} autres.")
    if standing.untold:
        level = max(level, Level.WARNING)
        texts.append(f"{standing.untold} alertes n'ont pu être envoyées.")
    age = datetime.now(UTC).timestamp() - standing.at
    if age > 3 * interval + _OLD:
        level = Level.CRITICAL
        texts.insert(0, f"La plateforme ne s'est plus regardée depuis {int(age)} s.")
    return Line(level=level, text=" ".join(texts) or _CALM, perfdata=tuple(_perfdata(standing, limits)))


def _perfdata(standing: Standing, limits: Limits) -> Iterator[str]:
    yield _figure("commit_age", standing.commit_age, "s")
    for name, source in standing.sources.items():
        if source.silence is not None:
            bounds = None if source.limit is None else tuple(source.limit * times for times in limits.silence)
            yield _figure(f"silence_{name}", source.silence, "s", bounds)
        for part, value in source.ack.items():
            yield _figure(f"ack_p{float(part) * 100:g}_{name}", value, "s")
    for name, destination in standing.destinations.items():
        yield _figure(f"backlog_{name}", destination.backlog)
        yield _figure(f"oldest_{name}", destination.oldest, "s", tuple(60 * minutes for minutes in limits.backlog))
    for owner, hold in standing.holds.items():
        yield _figure(f"holds_{owner}", hold.open)
        yield _figure(f"overdue_{owner}", hold.overdue, "", limits.holds)
    yield _figure("quarantined", standing.quarantined)
    for about, days in standing.certificates.items():
        if days is not None:
            yield _figure(f"certificate_{about}", days, "", limits.certificate, below=True)
    for about, disk in standing.disks.items():
        yield _figure(f"disk_{about}", disk.percent, "%", limits.disk, below=True)
    for about, file in standing.files.items():
        yield _figure(f"age_{about}", file.age, "s", tuple(file.limit * times for times in limits.stale))


def _figure(label: str, value: float, unit: str = "", limits: tuple[float, ...] | None = None, *, below: bool = False) -> str:
    """``'label'=value[unit];warning;critical``; ``N:`` says that what is below N is wrong."""
    clean = "".join(character if character.isalnum() or character in "-_." else "_" for character in label)
    known = limits is not None and all(map(math.isfinite, limits))
    bounds = "".join(f";{limit:g}{':' if below else ''}" for limit in limits) if limits is not None and known else ""
    return f"'{clean}'={value:.6g}{unit}{bounds}"


def as_json(line: Line) -> Mapping[str, object]:
    """The same as an object."""
    return {"code": int(line.level), "status": line.level.name, "text": line.text, "perfdata": line.perfdata}
