"""What an export is made of: files in order, each cut into its messages, gathered into chunks that a worker reads at once.

Nothing is dropped in silence: a file that holds no HL7 v2 is named, with what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from liaison.finding import Finding, Severity
from liaison.hl7.batch import split_batch
from liaison.hub.file_findings import MAX_FILE
from liaison.hub.reading_file import FileKind, kind_of
from liaison.private import Private

#: What one worker is given at once: messages, bytes.
CHUNK_MESSAGES: Final = 500
CHUNK_BYTES: Final = 8_000_000
#: Messages of one export, at most: 300,000 were measured to keep 400 MB, nearly all of it for the order of events.
MAX_MESSAGES: Final = 500_000
#: Files looked for in folders, at most.
MAX_FILES: Final = 500_000

TOO_MANY: Final = Finding(
    severity=Severity.ERROR,
    where="export",
    rule="export.too-many",
    message=f"L’export compte plus de {MAX_MESSAGES} messages : la suite n’est pas lue.",
    remedy="Examiner un jour à la fois.",
)
NOT_HL7: Final = "n’est pas du HL7 v2"
TOO_LARGE: Final = f"dépasse {MAX_FILE // 1_000_000} Mo : à découper"
UNREADABLE: Final = "ne peut être lu : vérifier les droits"
NO_MESSAGE: Final = "ne contient aucun message entier"
_KINDS: Final = {
    FileKind.CDA: "est un document XML et non un message HL7 v2",
    FileKind.XDM: "est une archive : en extraire les messages",
    FileKind.MAIL: "est un courriel et non un message HL7 v2",
    FileKind.HPRIM: "est du HPRIM et non du HL7 v2",
    FileKind.EMPTY: "est un fichier vide",
}


class ExportFile(Private, frozen=True, kw_only=True):
    """A file of the export: its name as it is told, its size in bytes, and how to have its bytes (raises OSError)."""

    name: str
    size: int
    read: Callable[[], bytes]


class Piece(Private, frozen=True, array_like=True):
    """The bytes of one message and where it stands: its file's rank from 0, its own position there from 1."""

    file: int
    position: int
    raw: bytes
    #: What is wrong with the batch around it, told with its first message.
    around: tuple[Finding, ...] = ()


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A file in which nothing was read, and why, in French."""

    name: str
    why: str


def files_under(paths: Iterable[Path]) -> Iterator[ExportFile]:
    """Every file named, or below a folder that is named, in the order of the command line and then of the names.

    Hidden files are left out; links are not followed below a folder. Raises OSError for a path that is not there.
    """
    for path in paths:
        if not path.is_dir():
            yield _file(path, str(path))
            continue
        found = (one for one in path.rglob("*") if one.is_file() and not one.is_symlink() and not one.name.startswith("."))
        for one in sorted(found):
            yield _file(one, str(one.relative_to(path)))


def _file(path: Path, name: str) -> ExportFile:
    size = path.stat().st_size
    return ExportFile(name=name.encode("utf-8", "replace").decode(), size=size, read=path.read_bytes)


def chunks(files: Iterable[ExportFile], unread: list[Unread], tell: Callable[[int], None]) -> Iterator[list[Piece]]:
    """The messages of all files in order, some at a time; ``unread`` gets the files without any, ``tell`` the bytes read so far.

    How messages are gathered depends on the files alone, never on who reads them.
    """
    gathered: list[Piece] = []
    size = done = 0
    for rank, file in enumerate(files):
        inside = 0
        for piece in _pieces(rank, file, unread):
            gathered.append(piece)
            size += len(piece.raw)
            inside += len(piece.raw)
            if len(gathered) >= CHUNK_MESSAGES or size >= CHUNK_BYTES:
                yield gathered
                gathered, size = [], 0
                tell(done + min(inside, file.size))
        done += file.size
        tell(done)
    if gathered:
        yield gathered


def _pieces(rank: int, file: ExportFile, unread: list[Unread]) -> Iterator[Piece]:
    if file.size > MAX_FILE:
        unread.append(Unread(name=file.name, why=TOO_LARGE))
        return
    try:
        raw = file.read()
    except OSError:
        unread.append(Unread(name=file.name, why=UNREADABLE))
        return
    kind = kind_of(raw)
    if kind is not FileKind.HL7 or b"MSH" not in raw:
        unread.append(Unread(name=file.name, why=_KINDS.get(kind, NOT_HL7)))
        return
    batch = split_batch(raw)
    whole = batch.messages
    if not whole and not batch.findings:
        unread.append(Unread(name=file.name, why=NO_MESSAGE))
    elif not whole:
        # Nothing but faults: they are told with the bytes that they are about.
        whole = (raw,)
    for position, message in enumerate(whole, 1):
        yield Piece(rank, position, message, batch.findings if position == 1 else ())
