"""The delimiters of one message: always read from MSH-1 and MSH-2, never assumed (HL7 v2.5 §2.5.4)."""

from __future__ import annotations

import functools

import msgspec

from liaison.finding import Finding, Severity
from liaison.hl7.errors import NotHl7

_REMEDY = "Écrire les quatre caractères ^~\\& dans MSH-2, après le séparateur de champs."


class Delimiters(msgspec.Struct, frozen=True, kw_only=True):
    """The characters that separate and escape. All different, one character each."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    #: HL7 v2.7 §2.5.5.2; empty when MSH-2 does not give it.
    truncation: str = ""

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as it is written."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


DEFAULT_DELIMITERS = Delimiters()


@functools.lru_cache(maxsize=64)
def read_delimiters(separator: str, characters: str) -> tuple[Delimiters, tuple[Finding, ...]]:
    """Delimiters out of MSH-1 and MSH-2; what MSH-2 lacks is taken from the usual set, with a finding.

    Raises NotHl7 when ``separator`` cannot separate anything.
    """
    if len(separator) != 1 or separator.isalnum() or not "!" <= separator <= "~":
        raise NotHl7(
            rule="hl7.field-separator",
            where="MSH-1",
            message="Le caractère qui suit « MSH » n’est pas un séparateur de champs utilisable (HL7 v2.5 §2.5.4).",
            remedy="Faire suivre « MSH » du séparateur de champs, en général « | ».",
            condition="102",
        )
    usual = DEFAULT_DELIMITERS
    taken = [separator]
    faulty = len(characters) not in (4, 5)
    for position, default in enumerate((usual.component, usual.repetition, usual.escape, usual.subcomponent)):
        given = characters[position : position + 1]
        if not given or given in taken or given.isalnum() or not "!" <= given <= "~":
            faulty = True
            given = default if default not in taken else chr(0xE000 + position)  # a character that no message holds
        taken.append(given)
    truncation = characters[4:5]
    # The reply repeats MSH-2: no byte of a frame's ends may stand in it.
    if truncation and (truncation in taken or truncation.isalnum() or not "!" <= truncation <= "~"):
        truncation = ""
    delimiters = Delimiters(
        field=separator, component=taken[1], repetition=taken[2], escape=taken[3], subcomponent=taken[4], truncation=truncation
    )
    if not faulty:
        return delimiters, ()
    return delimiters, (
        Finding(
            severity=Severity.WARNING,
            where="MSH-2",
            rule="hl7.encoding-characters",
            message="MSH-2 ne donne pas quatre caractères d’encodage distincts (HL7 v2.5 §2.15.9.2) ; les caractères usuels "
            "ont été supposés.",
            remedy=_REMEDY,
            condition="102",
        ),
    )
