"""The national directory of MSSanté mailboxes, read from its daily extraction.

Layout: ``Extraction_Correspondance_MSSante``, UTF-8, ``|`` between 31 columns, one header line (mssante digest §5.2).
Half a million rows become one index, a block of bytes and sorted arrays of numbers, that a file holds and a lookup bisects.
"""

from __future__ import annotations

import enum
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import TypeAlias

import msgspec

from liaison.finding import Finding, Severity
from liaison.mssante.address import InvalidAddress, with_known_domain
from liaison.private import Private

COLUMNS = 31
#: Longest line that is looked at; real ones stay under 700 characters.
MAX_LINE = 4096
#: Findings kept; lines beyond are only counted.
MAX_FINDINGS = 100

#: The columns that are kept: position in the file (from 1, §5.2) in the order of :class:`DirectoryEntry`.
_KEPT = (1, 2, 4, 6, 7, 8, 10, 11, 14, 16, 19, 29)
_kept_of = itemgetter(*(position - 1 for position in _KEPT))
#: What the header line must say for the layout to be the one we know: position (from 1) → name.
_HEADER = {1: "type de bal", 2: "adresse bal", 4: "identifiant pp", 7: "identification structure", 10: "nom d'exercice"}
_ROW_BITS = 26
_ROWS_A_CHUNK = 5_000
#: Beyond this many, one bad line in twenty means that the file is not what it should be.
_SKIPPED_AT_MOST = 1_000
_MAGIC = b"LIADIR01"
#: At the end of an index: magic, SHA-256 of the extraction, lines left out, bytes of the rows (padded to eight), and how many numbers the
#: offsets and the three sorted tables (professional, address, structure: key and row in one number) have.
_TRAILER = struct.Struct("<8s32sQQQQQQ")


class MailboxType(enum.StrEnum):
    """TRE_R257-TypeBAL (mssante digest §1.5)."""

    PER = "PER"  #: a professional's own
    ORG = "ORG"  #: a service's or a team's
    APP = "APP"  #: a software's
    CAB = "CAB"  #: a surgery's


class DirectoryLayoutError(ValueError):
    """The file is not the extraction that this module knows: keep the last good one."""


class DirectoryIndexError(ValueError):
    """Bytes that are no whole index: make it again from the extraction."""


class DirectoryEntry(Private, frozen=True, kw_only=True):
    """One row: a mailbox, the professional it belongs to, the structure it hangs on. Empty where the row says nothing."""

    type: str
    address: str
    rpps: str
    structure_id_type: str
    #: FINESS, SIRET or RPPS-rang of the structure, as ``structure_id_type`` says.
    structure_id: str
    department: str
    family: str
    given: str
    profession: str
    speciality: str
    structure_name: str
    postal_code: str


class Chosen(Private, frozen=True, kw_only=True):
    """One mailbox, and the step of the order of §5.3 that gave it, in French."""

    entry: DirectoryEntry
    why: str


class Ambiguous(Private, frozen=True, kw_only=True):
    """Several mailboxes of different structures: a person, or the region's list of preferences, must choose."""

    entries: tuple[DirectoryEntry, ...]


class NoMailbox(msgspec.Struct, frozen=True, kw_only=True):
    """The directory has nothing: red list, or no mailbox at all."""


Resolution: TypeAlias = Chosen | Ambiguous | NoMailbox


class Indexing:
    """Turns the extraction's lines into an index, chunk by chunk: half a million rows pass through, they are never all in memory.

    ``rows``, ``skipped`` and ``findings`` are right once ``chunks`` is exhausted.
    """

    def __init__(self, lines: Iterable[str], *, digest: bytes = b"") -> None:
        """``lines`` with their ends; ``digest`` (32 bytes) names what was indexed."""
        self._lines = lines
        self._digest = digest
        self.rows = 0
        #: Lines left out; ``findings`` tells of the first hundred.
        self.skipped = 0
        self.findings: tuple[Finding, ...] = ()

    def chunks(self) -> Iterator[bytes]:
        """The index's bytes, in order.

        A line that cannot be read is left out, counted, and for the first hundred told as a finding with its number. Raises
        :class:`DirectoryLayoutError` on another layout, on a file that is cut, and when one line in twenty cannot be read.
        """
        numbered = iter(enumerate(self._lines, start=1))
        _check_header(next(numbered, (1, ""))[1])
        offsets, by_rpps, by_address, by_structure = array("Q", [0]), array("Q"), array("Q"), array("Q")
        rows: list[bytes] = []
        domains: dict[str, str] = {}
        findings: list[Finding] = []
        at, number, fault, line = 0, 1, "", "\n"
        for number, line in numbered:
            fields = _fields(line, domains)
            if isinstance(fields, str):
                fault = fields
                self.skipped += bool(fault)
                if fault and len(findings) < MAX_FINDINGS:
                    findings.append(_bad_line(number, fault))
                continue
            fault = ""
            row = len(offsets) - 1
            rpps, structure = fields[2], fields[4]
            if len(rpps) == 11 and rpps.isdigit():
                by_rpps.append(int(rpps) << _ROW_BITS | row)
            by_address.append(_digest(fields[1].lower()) << _ROW_BITS | row)
            if structure:
                by_structure.append(_digest(structure) << _ROW_BITS | row)
            rows.append("|".join(fields).encode("utf-8", "replace"))
            at += len(rows[-1])
            offsets.append(at)
            if len(rows) == _ROWS_A_CHUNK:
                yield b"".join(rows)
                rows.clear()
        if fault and not line.endswith("\n"):
            raise DirectoryLayoutError(f"ligne {number} : le fichier s'arrête au milieu d'une ligne, il est tronqué")
        self.rows = len(offsets) - 1
        if self.skipped > max(_SKIPPED_AT_MOST, self.rows // 20):
            raise DirectoryLayoutError(
                f"{findings[0].where} et {self.skipped - 1} autres ne sont pas lisibles, plus d'une sur vingt"
            )
        self.findings = tuple(findings)
        yield b"".join(rows)
        yield bytes(-at % 8)
        # From here on all is made of numbers of eight bytes.
        tables = [offsets, *(array("Q", sorted(table)) for table in (by_rpps, by_address, by_structure))]
        for table in tables:
            if sys.byteorder == "big":
                table.byteswap()
            yield table.tobytes()
        yield _TRAILER.pack(_MAGIC, self._digest, self.skipped, at + -at % 8, *(len(table) for table in tables))


class Directory:
    """The mailboxes of the extraction, found by professional, by address or by structure, in an index that stays where it is.

    The index may be a file mapped into memory: then only the pages that are looked at are read.
    """

    def __init__(self, index: bytes | memoryview) -> None:
        """Raises :class:`DirectoryIndexError` when the bytes are not a whole index."""
        whole = memoryview(index).toreadonly()
        if len(whole) < _TRAILER.size:
            raise DirectoryIndexError("the index is cut")
        magic, self.digest, self.skipped, rows, *counts = _TRAILER.unpack(whole[len(whole) - _TRAILER.size :])
        if magic != _MAGIC or rows + 8 * sum(counts) + _TRAILER.size != len(whole) or sys.byteorder == "big":
            raise DirectoryIndexError("these bytes are no index of this version")
        self._rows = whole[:rows]
        #: What was wrong with lines, the first hundred, when the extraction was read just now; an index keeps only their count.
        self.findings: tuple[Finding, ...] = ()
        tables: list[memoryview] = []
        at = rows
        for count in counts:
            tables.append(whole[at : at + 8 * count].cast("Q"))
            at += 8 * count
        self._offsets, self._by_rpps, self._by_address, self._by_structure = tables

    @classmethod
    def load(cls, lines: Iterable[str]) -> Directory:
        """The extraction's lines, wholly in memory. Raises :class:`DirectoryLayoutError`, see :class:`Indexing`."""
        indexing = Indexing(lines)
        directory = cls(b"".join(indexing.chunks()))
        directory.findings = indexing.findings
        return directory

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def of_professional(self, rpps: str) -> tuple[DirectoryEntry, ...]:
        """All mailboxes of an RPPS (11 digits), in the file's order."""
        if len(rpps) != 11 or not (rpps.isascii() and rpps.isdigit()):
            return ()
        return tuple(self._look_up(self._by_rpps, int(rpps)))

    def of_address(self, address: str) -> tuple[DirectoryEntry, ...]:
        """All rows of an address, whatever its case: one per professional and structure that use it."""
        key = address.lower()
        return tuple(entry for entry in self._look_up(self._by_address, _digest(key)) if entry.address.lower() == key)

    def of_structure(self, structure_id: str) -> tuple[DirectoryEntry, ...]:
        """All mailboxes of a structure, by its FINESS or another identifier, as it is written or as an idNat_Struct (``1`` before)."""
        return tuple(
            entry
            for written in ((structure_id, f"1{structure_id}") if len(structure_id) == 9 else (structure_id,))
            for entry in self._look_up(self._by_structure, _digest(written))
            if entry.structure_id == written
        )

    def resolve(self, rpps: str, *, structures: frozenset[str] = frozenset()) -> Resolution:
        """The mailbox for a letter to this professional (§5.3), given the structures where the patient knows him.

        Never chooses between personal mailboxes of different structures, nor between two shared ones.
        """
        own = [entry for entry in self.of_professional(rpps) if entry.type == MailboxType.PER]
        for candidates, why in (
            ([entry for entry in own if entry.structure_id in structures], "boîte personnelle dans la structure demandée"),
            (own, "seule boîte personnelle du professionnel"),
        ):
            if len({entry.structure_id for entry in candidates}) == 1 or len({e.address.lower() for e in candidates}) == 1:
                return Chosen(entry=candidates[0], why=why)
            if candidates:
                return Ambiguous(entries=tuple(candidates))
        shared = [entry for structure in sorted(structures) for entry in self.of_structure(structure)]
        return _only_one([entry for entry in shared if entry.type in (MailboxType.ORG, MailboxType.CAB)])

    def resolve_structure(self, finess: str) -> Resolution:
        """The organisational mailbox of a structure, by its FINESS; never chooses between two. A SIREN of the same digits is another."""
        entries = [entry for entry in self.of_structure(finess) if not entry.structure_id_type.upper().startswith("SIR")]
        return _only_one([entry for entry in entries if entry.type in (MailboxType.ORG, MailboxType.APP)])

    def _look_up(self, index: memoryview, key: int) -> Iterator[DirectoryEntry]:
        at = bisect_left(index, key << _ROW_BITS)
        while at < len(index) and index[at] >> _ROW_BITS == key:
            row = index[at] & ((1 << _ROW_BITS) - 1)
            text = bytes(self._rows[self._offsets[row] : self._offsets[row + 1]]).decode("utf-8", "replace")
            yield DirectoryEntry(**dict(zip(DirectoryEntry.__struct_fields__, text.split("|"), strict=True)))
            at += 1


def _only_one(shared: list[DirectoryEntry]) -> Resolution:
    if len({entry.address.lower() for entry in shared}) == 1:
        return Chosen(entry=shared[0], why="boîte organisationnelle de la structure")
    return Ambiguous(entries=tuple(shared)) if shared else NoMailbox()


def _check_header(line: str) -> None:
    names = [name.strip().lower().replace("’", "'") for name in line[:MAX_LINE].lstrip("\ufeff").split("|")]
    if len(names) < COLUMNS or any(names[position - 1] != name for position, name in _HEADER.items()):
        raise DirectoryLayoutError(
            "ligne 1 : les colonnes ne sont pas celles de Extraction_Correspondance_MSSante (31 colonnes, « Type de BAL » d'abord) ; "
            "vérifier que c'est bien elle"
        )


def _fields(line: str, domains: dict[str, str]) -> list[str] | str:
    """The kept columns of a line, or in French what is wrong with it (nothing for a blank line)."""
    if len(line) > MAX_LINE:
        return "elle dépasse 4096 caractères"
    columns = line.rstrip("\r\n").split("|")
    if columns == [""]:
        return ""
    if len(columns) == COLUMNS + 1 and not columns[-1]:
        columns.pop()
    if len(columns) != COLUMNS:
        return "elle n'a pas 31 colonnes"
    kept = [*map(str.strip, _kept_of(columns))]
    try:
        kept[1] = with_known_domain(kept[1], domains)
    except InvalidAddress:
        return "l'adresse n'est pas une adresse MSSanté"
    return kept


def _digest(text: str) -> int:
    """A stable 32-bit digest; look-ups compare the text itself afterwards."""
    return zlib.crc32(text.encode("utf-8", "replace"))


def _bad_line(number: int, what: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        where=f"ligne {number}",
        rule="mssante.directory-line",
        message=f"La ligne est écartée : {what}.",
        remedy="Vérifier l'extraction de l'annuaire ; les autres lignes sont prises.",
    )
