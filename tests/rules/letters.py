"""Letters of one invented patient, a directory, and what is decided of them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from liaison.care.facts import Addressee, DocumentAction, DocumentFact, DocumentFlags
from liaison.care.patient import Patient
from liaison.care.person import Ins, Professional
from liaison.mssante.directory import COLUMNS, Directory
from liaison.rules.decision import Decision, Outcome, Owner
from liaison.rules.letters import LetterRules, decide_letter
from liaison.rules.routing import Route

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
GP, OTHER_GP, TWO_BOXES, UNKNOWN_GP = "10000000001", "10000000002", "10000000003", "10000000009"
MATRICULE = "260058815400233"
INS = Ins(matricule=MATRICULE, oid="1.2.250.1.213.1.4.10")
OTHER_INS = Ins(matricule="175051234567890", oid="1.2.250.1.213.1.4.10")
PS = DocumentFlags(
    masked_from_professionals=False,
    hidden_from_patient=False,
    hidden_from_representatives=False,
    to_professionals=True,
    to_patient=False,
)
PS_AND_PATIENT = msgspec.structs.replace(PS, to_patient=True)
PATIENT_ADDRESS = f"{MATRICULE}@patient.mssante.fr"
BOTH = ("named", "treating-physician")
EHPAD, TWO_BOXES_FINESS = "400000055", "400000077"


def directory() -> Directory:
    header = [""] * COLUMNS
    for position, name in {
        1: "Type de BAL",
        2: "Adresse BAL",
        4: "Identifiant PP",
        7: "Identification Structure",
        10: "Nom d'exercice",
    }.items():
        header[position - 1] = name
    rows = [header]
    for address, rpps, structure in (
        ("gp@medecin.test", GP, "S1"),
        ("autre@medecin.test", OTHER_GP, "S2"),
        ("deux-a@medecin.test", TWO_BOXES, "S3"),
        ("deux-b@medecin.test", TWO_BOXES, "S4"),
    ):
        row = [""] * COLUMNS
        row[0], row[1], row[3], row[6] = "PER", address, rpps, structure
        rows.append(row)
    for address, finess in (
        ("accueil@ehpad.test", EHPAD),
        ("smr-a@ch.test", TWO_BOXES_FINESS),
        ("smr-b@ch.test", TWO_BOXES_FINESS),
    ):
        row = [""] * COLUMNS
        row[0], row[1], row[5], row[6] = "ORG", address, "FINESS", finess
        rows.append(row)
    return Directory.load("|".join(row) + "\n" for row in rows)


DIRECTORY = directory()


def patient(**changes: object) -> Patient:
    return msgspec.structs.replace(Patient(id="p1", recorded_at=NOW, ins=INS, statuses=("VALI",)), **changes)


def named(address: str, rpps: str = "") -> Addressee:
    return Addressee(address=address, professional=Professional(rpps=rpps) if rpps else None)


def letter(*addressees: Addressee, **changes: object) -> DocumentFact:
    fact = DocumentFact(
        patient=(),
        action=DocumentAction.PUBLISH,
        id="1.2.3",
        set_id="1.2.3",
        version=1,
        type_code="11490-0",
        title="CR",
        level="N1",
        created_at=NOW,
        flags=PS,
        addressees=addressees,
        same_patient=True,
        digest="00",
        recorded_at=NOW,
    )
    return msgspec.structs.replace(fact, **changes)


def rules(*kinds: str, **changes: object) -> LetterRules:
    route = Route(documents=("11490-0",), to="promess", recipients=kinds or BOTH)
    return msgspec.structs.replace(LetterRules(routes=(route,), directory=DIRECTORY), **changes)


def decide(document: DocumentFact, who: Patient | None = None, how: LetterRules | None = None) -> tuple[Decision, ...]:
    return decide_letter(document, rules=how or rules(), source="ch", patient=who or patient(), processing="P").decisions


def only(document: DocumentFact, who: Patient | None = None, how: LetterRules | None = None) -> Decision:
    (decision,) = decide(document, who, how)
    assert decision.reason and decision.rule
    assert (decision.owner is not Owner.NOBODY) == (decision.outcome is Outcome.HOLD)
    return decision
