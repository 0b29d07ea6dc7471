"""The document-flags gate: what the sender's MetaDMPMSS observations let leave by mail, and for whom.

The matrix is data (``tables/document_flags.toml``); two rules stand above whatever rows a region opens: a document masked to
professionals is never mailed to one, a document masked to the patient never to the patient (hl7v2 digest §5.5, mssante
digest §3.3).
"""

from __future__ import annotations

import enum
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Final, Literal, TypeAlias

import msgspec

from liaison.care.facts import DocumentFlags
from liaison.finding import Finding, Severity
from liaison.rules.decision import Objection, Outcome, Owner

FlagsPolicy: TypeAlias = Literal["default", "strict"]

#: The flags of the matrix, and the field of :class:`DocumentFlags` that holds each.
FLAGS: Final[Mapping[str, str]] = {
    "MASQUE_PS": "masked_from_professionals",
    "INVISIBLE_PATIENT": "hidden_from_patient",
    "INVISIBLE_REP_LEGAUX": "hidden_from_representatives",
    "CONNEXION_SECRETE": "secret_connection",
    "DESTDMP": "to_dmp",
    "DESTMSSANTEPS": "to_professionals",
    "DESTMSSANTEPAT": "to_patient",
}

_WHERE = "OBX MetaDMPMSS"


class AddresseeKind(enum.StrEnum):
    """Whom a mail goes to, as far as the flags tell them apart."""

    PROFESSIONAL = "professional"  #: a person, an organisation or an application
    PATIENT = "patient"


class FlagsOpinion(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's answer: an objection or none, and what it noticed either way."""

    objection: Objection | None
    findings: tuple[Finding, ...] = ()


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the matrix."""

    name: str
    policy: FlagsPolicy
    #: Where the row comes from.
    source: str
    #: Rule and French sentence of the finding that tells that this row was used; empty for the specification's rows.
    rule: str = ""
    why: str = ""
    to: tuple[AddresseeKind, ...]
    pattern: tuple[str, ...]

    def matches(self, values: tuple[str, ...]) -> bool:
        """Whether the seven values (``Y`` or ``N``, in the order of :data:`FLAGS`) fall under this row."""
        return all(wanted in ("*", value) for wanted, value in zip(self.pattern, values, strict=True))


@functools.cache
def matrix(policy: FlagsPolicy) -> tuple[Row, ...]:
    """The rows that count under a policy, in the order in which they are tried."""
    text = resources.files("liaison.rules.tables").joinpath("document_flags.toml").read_text("utf-8")
    rows = [_row(row) for row in tomllib.loads(text)["rows"]]
    return tuple(row for row in rows if policy == "default" or row.policy == "strict")


def check_flags(
    flags: DocumentFlags, addressee: AddresseeKind, *, named: bool = True, policy: FlagsPolicy = "default"
) -> FlagsOpinion:
    """Whether a document under these flags may be mailed to this kind of addressee.

    ``named`` says that the sender itself names the addressee. Somebody whom only a route designates is dropped without fuss
    when the sender asked for no such mail; a named one is held, because the message then contradicts itself.
    Absent masks, DESTDMP and DESTMSSANTEPAT count as N; absent DESTMSSANTEPS counts as Y, with a finding: silence about
    professionals is how feeds without DMP metadata speak, and is no refusal.
    """
    findings: list[Finding] = []
    if flags.to_professionals is None and addressee is AddresseeKind.PROFESSIONAL:
        findings.append(_PS_ABSENT)
    values = _values(flags)
    row = next((row for row in matrix(policy) if row.matches(values)), None)
    objection = _objection(flags, addressee, named, row, values)
    if objection is None and row is not None and row.rule:
        findings.append(Finding(severity=Severity.INFORMATION, where=_WHERE, rule=row.rule, message=row.why))
    return FlagsOpinion(objection=objection, findings=tuple(findings))


def _objection(
    flags: DocumentFlags, addressee: AddresseeKind, named: bool, row: Row | None, values: tuple[str, ...]
) -> Objection | None:
    if addressee is AddresseeKind.PROFESSIONAL and flags.masked_from_professionals:
        return _hold("flags.masked-from-professionals", "Document masqué aux professionnels (MASQUE_PS = Y) : il ne leur part pas.")
    if addressee is AddresseeKind.PATIENT and flags.hidden_from_patient:
        return _hold("flags.hidden-from-patient", "Document invisible au patient (INVISIBLE_PATIENT = Y) : il ne lui part pas.")
    if row is None:
        told = ", ".join(f"{flag} = {value}" for flag, value in zip(FLAGS, values, strict=True))
        return _hold("flags.not-in-matrix", f"Combinaison d'indicateurs absente de la matrice MSSanté du CI-SIS ({told}).")
    if addressee in row.to:
        return None
    flag = "DESTMSSANTEPS" if addressee is AddresseeKind.PROFESSIONAL else "DESTMSSANTEPAT"
    if named:
        return _hold(
            "flags.contradiction", f"Un destinataire est nommé, mais {flag} = N demande de ne pas lui envoyer le document."
        )
    return Objection(
        outcome=Outcome.DROP,
        reason=f"L'émetteur ne demande pas cet envoi par MSSanté ({flag} = N).",
        rule="flags.not-asked",
    )


def _values(flags: DocumentFlags) -> tuple[str, ...]:
    given: dict[str, bool | None] = {flag: getattr(flags, field) for flag, field in FLAGS.items()}
    if given["DESTMSSANTEPS"] is None:
        given["DESTMSSANTEPS"] = True
    return tuple("Y" if value else "N" for value in given.values())


def _row(table: dict[str, object]) -> Row:
    pattern = tuple(table.pop(flag) for flag in FLAGS)
    return msgspec.convert({**table, "pattern": pattern}, Row)


def _hold(rule: str, reason: str) -> Objection:
    return Objection(outcome=Outcome.HOLD, reason=reason, rule=rule, owner=Owner.HOSPITAL)


_PS_ABSENT = Finding(
    severity=Severity.WARNING,
    where=f"{_WHERE}/DESTMSSANTEPS",
    rule="flags.dest-ps-absent",
    message="DESTMSSANTEPS est absent alors que le volet l'exige : compté Y, l'envoi aux professionnels est permis.",
    remedy="Demander à l'éditeur d'émettre les huit OBX MetaDMPMSS avec chaque document.",
)
