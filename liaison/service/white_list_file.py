"""The white list's file, and the copy of the last good one that is kept beside the journal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from liaison.mssante.white_list import MAX_BYTES, WhiteList, WhiteListError, read_white_list
from liaison.service.configuration import ReferenceFileError

#: A new list that lost more than one domain in ten is not taken by itself: domains are renamed by the hundred, not lost.
LEAST_SHARE: Final = 0.9
_COPY: Final = "liste-blanche.xml"


class WhiteListFileError(ReferenceFileError):
    """The white list cannot be used. The text is French and says which file, why, and what to do."""


class WhiteListShrunk(WhiteListFileError):
    """The list lost many of the domains in use: a person says whether that is right."""


class WhiteListFiles:
    """The last good list beside a journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def last_good(self) -> WhiteList | None:
        """The list that was taken last; None when there is none."""
        try:
            return read_white_list((self._folder / _COPY).read_bytes())
        except (OSError, WhiteListError):
            return None

    def take(self, path: Path, *, accept_smaller: bool = False, keep: bool = True) -> WhiteList:
        """Read a list and, with ``keep``, make it the last good one.

        Raises :class:`WhiteListShrunk` when it lost more than one domain in ten and nobody accepts that, and
        :class:`WhiteListFileError` when it cannot be read; the last good one stays.
        """
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            found = read_white_list(raw)
            before = self.last_good()
            if (
                before is not None
                and len(found.domains & before.domains) < len(before.domains) * LEAST_SHARE
                and not accept_smaller
            ):
                raise WhiteListShrunk(_shrunk(path, before, found))
            if keep and (before is None or before != found):
                self._folder.mkdir(parents=True, exist_ok=True)
                part = self._folder / f"{_COPY}.part"
                with part.open("wb") as copy:
                    copy.write(raw)
                    copy.flush()
                    os.fsync(copy.fileno())
                part.replace(self._folder / _COPY)
        except OSError as error:
            raise WhiteListFileError(
                f"la liste blanche {path} ne peut être lue, ou sa copie écrite ({error.strerror}) : vérifier le chemin et les droits"
            ) from error
        except WhiteListError as error:
            raise WhiteListFileError(
                f"la liste blanche {path} n'est pas utilisable : {error} ; la télécharger de nouveau"
            ) from error
        return found


def _shrunk(path: Path, before: WhiteList, found: WhiteList) -> str:
    lost = len(before.domains - found.domains)
    return (
        f"la liste blanche {path} a perdu {lost} des {len(before.domains)} domaines en service : elle n'est pas prise. "
        "La télécharger de nouveau ; si elle est bien complète, l'accepter par « liaison directory load --accept-smaller »"
    )
