"""Explaining files under a configuration, or, where there is none, under one that gives a newcomer's file a full answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from liaison.finding import Finding
from liaison.hub.engine import OUR_FAULT
from liaison.hub.explain import Explained, Explainer
from liaison.hub.explain_file import readings_of, unread
from liaison.hub.file_findings import DIRECTORY, FORBIDDEN, MAX_FILE, MISSING
from liaison.hub.policy import Policy
from liaison.mappings.interpretation import SourceProfile
from liaison.rules.letters import LetterRules
from liaison.rules.routing import Route
from liaison.service.configuration import Configuration
from liaison.service.running import build_policy
from liaison.sidefile.pair import Pair, is_pdf, pack_pair
from liaison.sidefile.read import MAX_BYTES, side_kind

#: Files of one folder that are looked at for a PDF's side file.
_MOST_BESIDE: Final = 10_000
#: The source that files come from where no configuration names any.
NEWCOMER: Final = "fichier"


class UnknownSource(ValueError):
    """No source of that name, or none was named and nothing tells which of several speaks. Says which there are, in French."""


class UnreadablePath(Exception):
    """A path that leads to no bytes; ``explained`` is what is told of it all the same."""

    def __init__(self, explained: Explained) -> None:
        super().__init__(explained.findings[0].rule)
        self.explained = explained


class FileExplainer:
    """Explains files. Each starts from an empty journal, and each of its messages sees what those before it would have changed.

    ``together`` makes one feed of all files: the journal stays from one to the next. Writes nothing anywhere.
    """

    def __init__(self, configuration: Configuration | None, *, now: datetime, as_source: str = "", together: bool = False) -> None:
        """Raises :class:`UnknownSource`, and ReferenceFileError when a file of the configuration cannot be read."""
        self._policy = newcomer_policy() if configuration is None else build_policy(configuration)
        self._now = now
        self._together = together
        self._explainer = Explainer(self._policy, now)
        self._finess = ""
        if as_source and as_source not in self._policy.profiles:
            raise UnknownSource(
                f"la source « {as_source} » n'existe pas ; sources : {', '.join(self._policy.profiles) or 'aucune'}."
            )
        self._as_source = as_source
        #: Whether the answer is that of the newcomer's configuration.
        self.is_newcomer = configuration is None

    def explain(self, raw: bytes) -> Iterator[Explained]:
        """What the hub would make of each message of a file's bytes: at least one. Raises nothing for what they hold."""
        if not self._together:
            self._explainer, self._finess = Explainer(self._policy, self._now), ""
        try:
            for reading in readings_of(raw, self._profile, now=self._now):
                yield self._explainer.explain(reading)
        except Exception:  # noqa: BLE001 - a reader's fault is ours: it is told as such, and the other files have their turn
            yield self._unread(OUR_FAULT)

    def explain_path(self, path: Path) -> Iterator[Explained]:
        """The same for a file. Raises :class:`UnreadablePath` before anything else when it cannot be read."""
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_FILE + 1)
        except IsADirectoryError:
            raise UnreadablePath(self._unread(DIRECTORY)) from None
        except (FileNotFoundError, NotADirectoryError):
            raise UnreadablePath(self._unread(MISSING)) from None
        except OSError:
            raise UnreadablePath(self._unread(FORBIDDEN)) from None
        return self.explain(_with_side(path, raw) if is_pdf(raw) else raw)

    def _unread(self, finding: Finding) -> Explained:
        return self._explainer.explain(unread(self._profile(""), finding))

    def _profile(self, finess: str) -> SourceProfile:
        """The source that a file of this establishment comes from."""
        profiles = self._policy.profiles
        if self.is_newcomer:
            # Files of one feed that do not say it are the same establishment's as those before them.
            self._finess = finess or self._finess
            return SourceProfile(source=NEWCOMER, finess=self._finess)
        if self._as_source:
            return profiles[self._as_source]
        own = [profile for profile in profiles.values() if finess and profile.finess == finess]
        return (own or list(profiles.values()) or [SourceProfile(source=NEWCOMER, finess=finess)])[0]


def _with_side(path: Path, pdf: bytes) -> bytes:
    """A PDF with the side file beside it, under the same name, as the folder source would take them; the PDF alone where there is none."""
    for beside in islice(path.parent.iterdir(), _MOST_BESIDE):
        if beside != path and beside.stem == path.stem and beside.is_file() and beside.stat().st_size <= MAX_BYTES:
            side = beside.read_bytes()
            if side_kind(side) is not None:
                return pack_pair(Pair(pdf=pdf, side=side))
    return pdf


def newcomer_policy() -> Policy:
    """All events to a platform, all documents to those that the message names and to the treating physician, in a test territory."""
    routes = (
        Route(events=("*",), to="platform", patients="all"),
        Route(documents=("*",), to="promess", recipients=("named", "treating-physician")),
    )
    return Policy(
        letters=LetterRules(routes=routes),
        profiles={NEWCOMER: SourceProfile(source=NEWCOMER, finess="")},
        destinations=("platform", "promess"),
    )
