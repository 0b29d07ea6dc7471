"""Letters of the demonstration: what a ward's physician writes at the end of a stay or of a consultation."""

from __future__ import annotations

import random
import uuid
from datetime import date, datetime, timedelta

from liaison.demo.conditions import ALLERGIES, CONSULTATIONS, Condition, Drug, tell
from liaison.demo.hospital import Hospital, Ward
from liaison.demo.people import Patient, Physician
from liaison.private import Private

DISCHARGE_LETTER = ("11490-0", "Lettre de liaison à la sortie d'un établissement de soins")
CONSULTATION_REPORT = ("11488-4", "CR ou fiche de consultation ou de visite")


class Subject(Private, frozen=True, kw_only=True):
    """A patient as one hospital knows them: its own number, and how sure it is of the identity."""

    patient: Patient
    ipp: str
    #: PID-32: the status, then its attributes.
    statuses: tuple[str, ...]
    #: Whether the hospital checked the INS with the national service: only then may it travel.
    qualified: bool
    #: Whether the hospital wrote down who the treating physician is.
    knows_physician: bool = True


class Next(Private, frozen=True, kw_only=True):
    """One thing to do after the stay."""

    who: str
    on: date
    what: str


class Letter(Private, frozen=True, kw_only=True):
    """A letter, whatever the form it will travel in."""

    oid: str  #: ClinicalDocument/id
    set_oid: str
    version: int = 1
    replaces: str = ""
    type: tuple[str, str]  #: code (JDV_J07, LOINC) and label
    title: str
    level: str  #: ``N1`` or ``N3``
    written_at: datetime
    subject: Subject
    hospital: Hospital
    ward: Ward
    author: Physician
    admitted_at: datetime
    left_at: datetime
    urgent: bool
    #: Code, label and code system of the discharge mode (JDV_ModaliteSortie).
    exit_mode: tuple[str, str, str]
    reason: str
    story: tuple[str, ...]
    treatments: tuple[Drug, ...] = ()
    stopped: tuple[Drug, ...] = ()
    pending: str = ""
    follow_up: tuple[Next, ...] = ()
    allergies: str = ""
    #: Identifiers of the sections and entries, drawn once so that the same letter is always the same bytes.
    seed: int


SNOMED = "2.16.840.1.113883.6.96"
TA_ASIP = "1.2.250.1.213.1.1.4.322"
#: Discharge modes (JDV_ModaliteSortie) by ZFM-2 and ZFM-4 of the ADT message.
EXIT_MODES: dict[tuple[str, str], tuple[str, str, str]] = {
    ("8", ""): ("160849004", "retour au domicile", SNOMED),
    ("8", "6"): ("127", "Hospitalisation à Domicile", "1.2.250.1.213.1.6.1.8"),
    ("8", "7"): ("500", "Etablissement d'hébergement pour personnes âgées dépendantes", "1.2.250.1.213.1.6.1.8"),
    ("7", "2"): ("109", "Etablissement de santé privé autorisé en SSR", "1.2.250.1.213.1.6.1.8"),
}


def new_oid(rng: random.Random) -> str:
    """An OID nobody else has, under the arc 2.25 that UUIDs number."""
    return f"2.25.{new_uuid(rng).int}"


def new_uuid(rng: random.Random) -> uuid.UUID:
    return uuid.UUID(int=rng.getrandbits(128), version=4)


def discharge_letter(
    rng: random.Random,
    *,
    subject: Subject,
    hospital: Hospital,
    ward: Ward,
    author: Physician,
    condition: Condition,
    admitted_at: datetime,
    left_at: datetime,
    written_at: datetime,
    urgent: bool,
    exit_mode: tuple[str, str],
) -> Letter:
    """The lettre de liaison of a stay: structured (N3) two times out of three, else a PDF (N1)."""
    today = written_at.date()

    def say(text: str) -> str:
        return tell(text, subject.patient, today, rng)

    drugs = list(condition.treatments)
    if len(drugs) > 3 and rng.random() < 0.5:
        drugs.remove(rng.choice(drugs[1:]))
    return Letter(
        oid=new_oid(rng),
        set_oid=new_oid(rng),
        type=DISCHARGE_LETTER,
        title="Lettre de liaison à la sortie de l'établissement de santé",
        level=rng.choices(("N3", "N1"), (2, 1))[0],
        written_at=written_at,
        subject=subject,
        hospital=hospital,
        ward=ward,
        author=author,
        admitted_at=admitted_at,
        left_at=left_at,
        urgent=urgent,
        exit_mode=EXIT_MODES[exit_mode],
        reason=condition.reason,
        story=tuple(say(paragraph) for paragraph in condition.story),
        treatments=tuple(drugs),
        stopped=condition.stopped,
        pending=condition.pending,
        follow_up=tuple(Next(who=n.who, on=today + timedelta(days=n.days), what=say(n.what)) for n in condition.follow_up),
        allergies=rng.choice(ALLERGIES),
        seed=rng.getrandbits(64),
    )


def consultation_report(
    rng: random.Random,
    *,
    subject: Subject,
    hospital: Hospital,
    ward: Ward,
    author: Physician,
    came_at: datetime,
    left_at: datetime,
    written_at: datetime,
) -> Letter:
    """The report of an outpatient visit, always as a PDF (N1)."""
    reason, story = rng.choice(CONSULTATIONS)
    return Letter(
        oid=new_oid(rng),
        set_oid=new_oid(rng),
        type=CONSULTATION_REPORT,
        title=f"Compte rendu : {reason[0].lower()}{reason[1:]}",
        level="N1",
        written_at=written_at,
        subject=subject,
        hospital=hospital,
        ward=ward,
        author=author,
        admitted_at=came_at,
        left_at=left_at,
        urgent=False,
        exit_mode=EXIT_MODES["8", ""],
        reason=reason,
        story=tuple(tell(paragraph, subject.patient, written_at.date(), rng) for paragraph in story),
        seed=rng.getrandbits(64),
    )
