"""PID, PD1, ROL and MRG of a message → the patient as care knows one: identifiers, traits, INS where it may be used.

Serves every message with a PID: ADT, ORU and MDM.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from msgspec.structs import replace

from liaison.care.facts import IdentityAction, IdentityFact
from liaison.care.identifiers import (
    INS_OIDS,
    Identifier,
    IdentifierKind,
)
from liaison.care.person import Ins, Professional, Traits
from liaison.finding import Finding
from liaison.hl7.datatypes import Cx, Xcn, read_ts
from liaison.hl7.faults import error, fatal, warning
from liaison.hl7.identity import Demographics, Person, read_demographics, read_identifiers, read_person
from liaison.hl7.message import Message, Segment
from liaison.hl7.professionals import Scheme, TreatingPhysician, read_referrers, scheme_of
from liaison.mappings.authorities import identifier
from liaison.mappings.ins import is_national, usable_ins
from liaison.mappings.interpretation import SourceProfile
from liaison.private import Private

#: CX-5 of what PID-3 may carry beside the IPP and the INS, and that never names a patient here (data types N.1).
NOT_PATIENT_TYPES = frozenset({"NH", "INS-C", "NDP", "SS", "PN", "AN", "VN", "MR", "NI"})
PATIENT_UNKNOWN = fatal(
    "hl7.patient-identifier-missing",
    "PID-3 ne donne aucun identifiant de patient exploitable : ni IPP, ni INS qualifiée (PAM.fr §6.6.1).",
    "Émettre l’IPP dans PID-3 avec son autorité et le type PI.",
    "101",
)
#: Numbers of one patient: a person merged many times in several hospitals has a few dozen, all kinds together.
MOST_IDENTIFIERS = 100
TOO_MANY_IDENTIFIERS = fatal(
    "hl7.too-many-identifiers",
    f"PID-3 porte plus de {MOST_IDENTIFIERS} identifiants : aucun patient n’en a autant, le message est gardé sans effet (PAM.fr §6.6.1).",
    "N’émettre en PID-3 que les identifiants du patient du message.",
    "198",
)
IPP_TYPE = warning(
    "hl7.patient-identifier-type",
    "Aucune répétition de PID-3 n’a le type PI : une autre est tenue pour l’IPP (type CX, composante 5 obligatoire).",
    "Écrire « PI » en PID-3.5 de l’IPP.",
    "101",
)
INS_DELETION = error(
    "hl7.ins-deletion-outside-a47",
    "Une suppression d’INS est demandée hors d’un message A47 : elle n’est pas appliquée (PAM.fr §4.4.3).",
    "Demander la suppression d’une INS par un message A47 dont MRG-1 porte l’INS.",
    "207",
)
MERGE_WITHOUT_MRG = fatal(
    "hl7.mrg-missing",
    "Le segment MRG ou son identifiant MRG-1 est absent : rien ne dit ce qui est absorbé ou remplacé (PAM.fr §4.4).",
    "Émettre MRG-1 avec l’identifiant absorbé ou remplacé.",
    "101",
)
MERGE_ITSELF = fatal(
    "hl7.merge-itself",
    "Le patient absorbé (MRG-1) est le patient conservé (PID-3) : la fusion n’a pas de sens (PAM.fr §2).",
    "Émettre dans PID-3 le patient conservé et dans MRG-1 celui qui disparaît.",
    "207",
)


LINK_ALONE = fatal(
    "hl7.link-without-second-patient",
    "Un rapprochement (A24) ou son annulation (A37) nomme deux dossiers, chacun dans un segment PID : le second manque (PAM.fr §4.3).",
    "Émettre un second segment PID, celui de l’autre dossier.",
    "101",
)
LINK_ITSELF = fatal(
    "hl7.link-itself",
    "Les deux segments PID d’un rapprochement portent le même identifiant : un dossier ne se rapproche pas de lui-même (PAM.fr §4.3).",
    "Émettre dans le second PID l’identifiant de l’autre dossier.",
    "207",
)

#: The event of a link, and of its end.
LINKS = {"A24": IdentityAction.LINK, "A37": IdentityAction.UNLINK}


class Patient(Private, frozen=True, kw_only=True):
    """The patient of one PID in care's words."""

    identifiers: tuple[Identifier, ...]
    traits: Traits
    statuses: tuple[str, ...]
    ins: Ins | None
    #: PID-3 holds ``""`` under an INS authority.
    removes_ins: bool
    episode: Cx | None
    died: bool | None
    died_at: datetime | None


def read_patient(message: Message, profile: SourceProfile, zone: tzinfo, findings: list[Finding]) -> Patient | None:
    """The patient of the message's first PID; None when there is no PID (no finding) or no identifier (a fatal finding)."""
    pid = message.first("PID")
    zfd = message.first("ZFD")
    demographics = read_demographics(zfd, findings) if zfd else None
    return patient_of(pid, demographics, profile, zone, findings) if pid is not None else None


def patient_of(
    pid: Segment, demographics: Demographics | None, profile: SourceProfile, zone: tzinfo, findings: list[Finding]
) -> Patient | None:
    """The patient of one PID; None, with a fatal finding, when nothing names the patient."""
    person = read_person(pid, findings)
    if len(person.identifiers) > MOST_IDENTIFIERS:
        findings.append(TOO_MANY_IDENTIFIERS.at(pid.where(3)))
        return None
    traits = Traits(
        birth_name=person.birth_name,
        first_given_name=person.first_given_name,
        given_names=person.given_names,
        used_name=person.used_name,
        used_given_name=person.used_given_name,
        birth_date=person.birth_date,
        sex=person.sex,
        birthplace_cog=person.birthplace_cog,
    )
    corrected = demographics is not None and demographics.birth_date_corrected
    ins = usable_ins(person, traits, profile, findings, birth_date_corrected=corrected)
    identifiers = _local_identifiers(person, profile, findings)
    if ins is not None:
        identifiers += (Identifier(kind=IdentifierKind.INS, authority=f"oid:{ins.oid}", value=ins.matricule),)
    removes_ins = any(cx.deletes and cx.type == "INS" for cx in person.identifiers)
    if not identifiers and not removes_ins:
        findings.append(PATIENT_UNKNOWN.at(pid.where(3)))
        return None
    return Patient(
        identifiers=identifiers,
        traits=traits,
        statuses=person.statuses,
        ins=ins,
        removes_ins=removes_ins,
        episode=person.episode,
        died=person.died,
        died_at=read_ts(person.died_on, zone) if person.died_on else None,
    )


def identity_facts(
    message: Message,
    trigger: str,
    patient: Patient,
    profile: SourceProfile,
    zone: tzinfo,
    findings: list[Finding],
    *,
    of_identity: bool,
    physician: TreatingPhysician | None,
    confidential: bool,
    recorded_at: datetime,
) -> tuple[IdentityFact, ...]:
    """The identity facts of an ADT: one, or in an A40 one for each pair of PID and MRG; none, with a fatal finding, on a fault.

    A link is three: who each of its two patients is, and that they are one person, or are not.
    """

    def fact(
        about: Patient, action: IdentityAction, absorbed: tuple[Identifier, ...] = (), linked: tuple[Identifier, ...] = ()
    ) -> IdentityFact:
        return IdentityFact(
            action=action,
            identifiers=about.identifiers,
            traits=about.traits,
            statuses=about.statuses,
            ins=about.ins,
            removes_ins=about.removes_ins and action is IdentityAction.CHANGE_IDENTIFIER,
            absorbed=absorbed,
            linked=linked,
            treating_physician=treating(physician),
            died=about.died,
            died_at=about.died_at,
            confidential=confidential,
            of_identity=of_identity,
            recorded_at=recorded_at,
        )

    if trigger == "A40":
        pairs = _merges(message, patient, profile, zone, findings)
        return tuple(fact(surviving, IdentityAction.MERGE, absorbed) for surviving, absorbed in pairs)
    if (action := LINKS.get(trigger)) is not None:
        other = _other_patient(message, patient, profile, zone, findings)
        if other is None:
            return ()
        # What the message says beside its PIDs is of the first patient.
        second = replace(fact(other, IdentityAction.ASSERT), treating_physician=None)
        return (fact(patient, IdentityAction.ASSERT), second, fact(patient, action, linked=other.identifiers))
    if trigger == "A47":
        absorbed = replaced_identifiers(message.first("MRG"), profile, findings)
        if absorbed or patient.removes_ins:
            return (fact(patient, IdentityAction.CHANGE_IDENTIFIER, absorbed),)
        findings.append(MERGE_WITHOUT_MRG.at("MRG-1"))
        return ()
    if patient.removes_ins:
        findings.append(INS_DELETION.at("PID-3"))
        if not patient.identifiers:
            findings.append(PATIENT_UNKNOWN.at("PID-3"))
            return ()
    return (fact(patient, IdentityAction.ASSERT),)


def professional(person: Xcn | None) -> Professional | None:
    """An XCN as a professional; None for None."""
    if person is None:
        return None
    scheme, number = scheme_of(person)
    register = person.id_type or Scheme.LOCAL if scheme is Scheme.LOCAL else scheme
    return Professional(
        rpps=number if scheme is Scheme.RPPS else "",
        local_id=f"{register}:{number}" if number and scheme is not Scheme.RPPS else "",
        family=person.family,
        given=person.given,
    )


def treating(physician: TreatingPhysician | None) -> Professional | None:
    """The treating physician; an empty professional when the message takes the one known away, None when it says nothing."""
    if physician is None:
        return None
    return Professional() if physician.removed else professional(physician.doctor)


def referrers_of(message: Message) -> tuple[Professional, ...]:
    """ROL RP and RT of the venue as professionals, each once."""
    if message.first("ROL") is None:
        return ()
    people = (professional(person) for person in read_referrers(message))
    return tuple(dict.fromkeys(person for person in people if person is not None))


def _local_identifiers(person: Person, profile: SourceProfile, findings: list[Finding]) -> tuple[Identifier, ...]:
    """The IPPs; when nothing is typed PI, the first repetition that is nothing else."""
    given = [cx for cx in person.identifiers if not cx.deletes]
    patients = [cx for cx in given if cx.type == "PI"]
    if not patients:
        patients = [cx for cx in given if cx.type != "INS" and cx.type not in NOT_PATIENT_TYPES and not is_national(cx)][:1]
        if patients:
            findings.append(IPP_TYPE.at(patients[0].where))
    return tuple(identifier(IdentifierKind.IPP, cx, profile, findings) for cx in patients)


def _merges(
    message: Message, first: Patient, profile: SourceProfile, zone: tzinfo, findings: list[Finding]
) -> list[tuple[Patient, tuple[Identifier, ...]]]:
    """Each PID of an A40 with the identifiers of the MRG that follows it (ADT_A39 repeats the pair)."""
    pairs: list[tuple[Patient, tuple[Identifier, ...]]] = []
    surviving: Patient | None = None
    for segment in message.segments:
        if segment.name == "PID":
            surviving = first if segment.occurrence == 1 else patient_of(segment, None, profile, zone, findings)
        elif segment.name == "MRG" and surviving is not None:
            absorbed = replaced_identifiers(segment, profile, findings)
            if set(absorbed) & set(surviving.identifiers):
                findings.append(MERGE_ITSELF.at(segment.where(1)))
                return []
            if absorbed:
                pairs.append((surviving, absorbed))
    if not pairs:
        findings.append(MERGE_WITHOUT_MRG.at("MRG-1"))
    return pairs


def _other_patient(
    message: Message, first: Patient, profile: SourceProfile, zone: tzinfo, findings: list[Finding]
) -> Patient | None:
    """The patient of the second PID of an A24 or A37; None, with a fatal finding, when there is none or it is the first again."""
    pid = next((segment for segment in message.segments if segment.name == "PID" and segment.occurrence == 2), None)
    if pid is None:
        findings.append(LINK_ALONE.at("PID[2]"))
        return None
    other = patient_of(pid, None, profile, zone, findings)
    if other is not None and is_same_record(first.identifiers, other.identifiers):
        findings.append(LINK_ITSELF.at(pid.where(3)))
        return None
    return other


def is_same_record(one: tuple[Identifier, ...], other: tuple[Identifier, ...]) -> bool:
    """Whether an IPP stands in both; an INS in both is what one expects of two records of one person."""
    return any(identifier.kind is IdentifierKind.IPP and identifier in one for identifier in other)


def replaced_identifiers(mrg: Segment | None, profile: SourceProfile, findings: list[Finding]) -> tuple[Identifier, ...]:
    """MRG-1: the identifiers absorbed or replaced. What names them is old, so that no rule on using an INS applies."""
    if mrg is None:
        return ()
    absorbed: list[Identifier] = []
    for cx in read_identifiers(mrg, 1):
        if cx.deletes or cx.type in NOT_PATIENT_TYPES:
            continue
        is_ins = cx.type == "INS" and cx.authority.oid in INS_OIDS
        absorbed.append(identifier(IdentifierKind.INS if is_ins else IdentifierKind.IPP, cx, profile, findings))
    return tuple(absorbed)
