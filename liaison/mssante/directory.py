"""The national directory of MSSanté mailboxes, read from its daily extraction.

Layout: ``Extraction_Correspondance_MSSante``, UTF-8, ``|`` between 31 columns, one header line (mssante digest §5.2).
Half a million rows are kept as one block of bytes and sorted arrays, about 100 MB, not as half a million objects.
"""

from __future__ import annotations

import enum
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from liaison.finding import Finding, Severity
from liaison.mssante.address import InvalidAddress, parse_address
from liaison.private import Private

COLUMNS = 31
#: Longest line that is looked at; real ones stay under 700 characters.
MAX_LINE = 4096
#: Findings kept; lines beyond are only counted.
MAX_FINDINGS = 100

#: The columns that are kept: position in the file (from 1, §5.2) in the order of :class:`DirectoryEntry`.
_KEPT = (1, 2, 4, 6, 7, 8, 10, 11, 14, 16, 19, 29)
#: What the header line must say for the layout to be the one we know: position (from 1) → name.
_HEADER = {1: "type de bal", 2: "adresse bal", 4: "identifiant pp", 7: "identification structure", 10: "nom d'exercice"}
_ROW_BITS = 26


class MailboxType(enum.StrEnum):
    """TRE_R257-TypeBAL (mssante digest §1.5)."""

    PER = "PER"  #: a professional's own
    ORG = "ORG"  #: a service's or a team's
    APP = "APP"  #: a software's
    CAB = "CAB"  #: a surgery's


class DirectoryLayoutError(ValueError):
    """The file is not the extraction that this module knows: keep the last good one."""


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


class Directory:
    """The mailboxes of the extraction, found by professional, by address or by structure."""

    def __init__(self, rows: bytearray, offsets: array[int], indexes: tuple[array[int], array[int], array[int]]) -> None:
        self._rows = rows
        self._offsets = offsets
        self._by_rpps, self._by_address, self._by_structure = indexes
        #: What was wrong with the file, the first hundred; ``skipped`` counts all lines left out.
        self.findings: tuple[Finding, ...] = ()
        self.skipped = 0

    @classmethod
    def load(cls, lines: Iterable[str]) -> Directory:
        """Read the extraction's lines (ends of line allowed). Raises :class:`DirectoryLayoutError` on another layout.

        A line that cannot be read is left out, counted and, for the first hundred, told as a finding with its number.
        """
        numbered = iter(enumerate(lines, start=1))
        _check_header(next(numbered, (1, ""))[1])
        rows, offsets = bytearray(), array("Q", [0])
        by_rpps, by_address, by_structure = array("Q"), array("Q"), array("Q")
        findings: list[Finding] = []
        skipped = 0
        for number, line in numbered:
            fields = _fields(line)
            if isinstance(fields, str):
                skipped += bool(fields)
                if fields and len(findings) < MAX_FINDINGS:
                    findings.append(_bad_line(number, fields))
                continue
            row = len(offsets) - 1
            rows += "|".join(fields).encode("utf-8", "replace")
            offsets.append(len(rows))
            if fields[2].isdigit() and len(fields[2]) == 11:
                by_rpps.append(int(fields[2]) << _ROW_BITS | row)
            by_address.append(_digest(fields[1].lower()) << _ROW_BITS | row)
            if fields[4]:
                by_structure.append(_digest(fields[4]) << _ROW_BITS | row)
        indexes = (array("Q", sorted(by_rpps)), array("Q", sorted(by_address)), array("Q", sorted(by_structure)))
        directory = cls(rows, offsets, indexes)
        directory.findings = tuple(findings)
        directory.skipped = skipped
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
        """All mailboxes of a structure's identifier, as the file writes it."""
        entries = self._look_up(self._by_structure, _digest(structure_id))
        return tuple(entry for entry in entries if entry.structure_id == structure_id)

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
        shared = [entry for entry in shared if entry.type in (MailboxType.ORG, MailboxType.CAB)]
        if len({entry.address.lower() for entry in shared}) == 1:
            return Chosen(entry=shared[0], why="boîte organisationnelle de la structure")
        return Ambiguous(entries=tuple(shared)) if shared else NoMailbox()

    def _look_up(self, index: array[int], key: int) -> Iterator[DirectoryEntry]:
        at = bisect_left(index, key << _ROW_BITS)
        while at < len(index) and index[at] >> _ROW_BITS == key:
            row = index[at] & ((1 << _ROW_BITS) - 1)
            text = self._rows[self._offsets[row] : self._offsets[row + 1]].decode()
            yield DirectoryEntry(**dict(zip(DirectoryEntry.__struct_fields__, text.split("|"), strict=True)))
            at += 1


def _check_header(line: str) -> None:
    names = [name.strip().lower().replace("’", "'") for name in line[:MAX_LINE].lstrip("\ufeff").split("|")]
    if len(names) < COLUMNS or any(names[position - 1] != name for position, name in _HEADER.items()):
        raise DirectoryLayoutError(
            "ligne 1 : les colonnes ne sont pas celles de Extraction_Correspondance_MSSante (31 colonnes, « Type de BAL » d'abord) ; "
            "vérifier le fichier téléchargé, ou garder le précédent"
        )


def _fields(line: str) -> list[str] | str:
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
    kept = [columns[position - 1].strip() for position in _KEPT]
    try:
        kept[1] = parse_address(kept[1]).text
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
