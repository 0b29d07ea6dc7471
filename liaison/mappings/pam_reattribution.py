"""A44: an episode opened for the wrong patient, given to the right one (PAM.fr §2.2, §5.3; structure ADT_A43)."""

from __future__ import annotations

from datetime import datetime, tzinfo

from liaison.care.facts import ReattributionFact
from liaison.care.identifiers import IdentifierKind
from liaison.finding import Finding
from liaison.hl7.faults import fatal
from liaison.hl7.identity import read_identifiers
from liaison.hl7.message import Message
from liaison.mappings.authorities import identifier
from liaison.mappings.interpretation import SourceProfile
from liaison.mappings.pam_identity import MERGE_WITHOUT_MRG, Patient, is_same_record, patient_of, replaced_identifiers

#: The event.
REATTRIBUTION = "A44"
EPISODE_UNNAMED = fatal(
    "hl7.reattribution-without-episode",
    "Ni MRG-3 ni PID-18 ne disent quel dossier change de patient (PAM.fr §5.3).",
    "Émettre le numéro de dossier administratif en MRG-3, et en PID-18 du patient qui le reçoit.",
    "101",
)
TO_ITSELF = fatal(
    "hl7.reattribution-to-itself",
    "Le patient qui perd le dossier (MRG-1) est celui qui le reçoit (PID-3) : la réattribution n’a pas de sens (PAM.fr §5.3).",
    "Émettre dans PID-3 le patient à qui le dossier appartient et dans MRG-1 celui qui l’avait à tort.",
    "207",
)


def reattribution_facts(
    message: Message, first: Patient, profile: SourceProfile, zone: tzinfo, findings: list[Finding], *, recorded_at: datetime
) -> tuple[ReattributionFact, ...]:
    """For each pair of PID and MRG, whose an episode is from now on; none, with a fatal finding, on a fault."""
    facts: list[ReattributionFact] = []
    taker: Patient | None = None
    for segment in message.segments:
        if segment.name == "PID":
            taker = first if segment.occurrence == 1 else patient_of(segment, None, profile, zone, findings)
        elif segment.name == "MRG" and taker is not None:
            former = replaced_identifiers(segment, profile, findings)
            numbers = [cx for cx in read_identifiers(segment, 3) if not cx.deletes]
            episode = numbers[0] if numbers else taker.episode
            if episode is None:
                findings.append(EPISODE_UNNAMED.at(segment.where(3)))
                return ()
            if is_same_record(taker.identifiers, former):
                findings.append(TO_ITSELF.at(segment.where(1)))
                return ()
            if former:
                named = identifier(IdentifierKind.EPISODE, episode, profile, findings)
                facts.append(ReattributionFact(patient=taker.identifiers, former=former, episode=named, recorded_at=recorded_at))
    if not facts:
        findings.append(MERGE_WITHOUT_MRG.at("MRG-1"))
    return tuple(facts)
