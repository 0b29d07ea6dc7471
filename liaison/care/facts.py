"""What a message asserts, in the words of care and of no format.

A reading turns a message into facts; folding turns facts into patients, stays and documents; the difference makes events.
All datetimes are aware.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import TypeAlias

from liaison.care.identifiers import Identifier
from liaison.care.person import Ins, Professional, Traits
from liaison.private import Private


class IdentityAction(enum.StrEnum):
    """What an identity fact does to the patient that its identifiers name."""

    ASSERT = "assert"  #: A28, A31 and the PID of every other message
    MERGE = "merge"  #: A40: ``absorbed`` goes into ``identifiers``
    CHANGE_IDENTIFIER = "change-identifier"  #: A47: ``absorbed`` is replaced by ``identifiers``, or removed when INS is deleted
    LINK = "link"  #: A24: the records of ``identifiers`` and ``linked`` are of one person, and stay two
    UNLINK = "unlink"  #: A37: they are not


class IdentityFact(Private, frozen=True, kw_only=True, omit_defaults=True, tag="identity"):
    """Who the message says the patient is."""

    action: IdentityAction = IdentityAction.ASSERT
    #: The patient's identifiers (IPP of this authority first, INS when it may be used).
    identifiers: tuple[Identifier, ...]
    traits: Traits | None = None
    #: Codes of PID-32, e.g. ``("VALI",)`` or ``("VALI", "HOMA")``; empty when the sender did not say.
    statuses: tuple[str, ...] = ()
    #: Set only where the rules of PAM.fr §6.6.1 let an INS be used.
    ins: Ins | None = None
    #: The sender orders the INS and its history to be deleted (A47 with ``""``).
    removes_ins: bool = False
    #: MRG-1: what is absorbed or replaced.
    absorbed: tuple[Identifier, ...] = ()
    #: The other record of a link: its second PID.
    linked: tuple[Identifier, ...] = ()
    #: None when the message does not say; kept from before then.
    treating_physician: Professional | None = None
    #: Death, where PID-29/30 says so; ``died`` may be true without a date.
    died: bool | None = None
    died_at: datetime | None = None
    #: Any of PD1-12, PV1-16, PV2-22 = Y: the stay or the person is protected.
    confidential: bool = False
    #: Whether this message is one of identity itself (ITI-30), or only carries a PID.
    of_identity: bool = False
    #: EVN-2, else MSH-7.
    recorded_at: datetime

    @property
    def others(self) -> tuple[Identifier, ...]:
        """What names another record than the patient's own: absorbed, replaced or linked."""
        return self.absorbed + self.linked


class MovementAction(enum.StrEnum):
    """ZBE-4."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    CANCEL = "CANCEL"


class Place(Private, frozen=True, kw_only=True, omit_defaults=True):
    """Where a patient lies, by its three responsibilities (PAM.fr §5.1.1). Codes of the hospital's own referential."""

    uf_lodging: str = ""
    uf_medical: str = ""
    uf_medical_label: str = ""
    uf_care: str = ""
    room: str = ""
    bed: str = ""


class MovementFact(Private, frozen=True, kw_only=True, omit_defaults=True, tag="movement"):
    """A movement inserted, corrected or cancelled (ITI-31)."""

    #: The patient's identifiers, as in the identity fact of the same message.
    patient: tuple[Identifier, ...]
    action: MovementAction
    #: Event of the message: ``A01``, ``Z99``…
    trigger: str
    #: Event that inserted the movement (ZBE-6 for UPDATE and CANCEL, else the trigger); empty when the sender left it out.
    original_trigger: str
    #: ZBE-1, one for each system that co-manages the movement; empty in a feed without ZBE.
    movement: tuple[Identifier, ...] = ()
    #: PV1-19; when a feed has none, the mapping falls back to the dossier and says so in a finding.
    visit: Identifier
    #: PID-18.
    episode: Identifier | None = None
    preadmission: Identifier | None = None
    #: ZBE-2: when it happened in the ward; the ordering key.
    at: datetime
    #: ZBE-5 = Y.
    historic: bool = False
    #: ZBE-9 as a set of letters among H M S L D C, in the sender's order.
    nature: str = ""
    #: PV1-2: E I O R V N.
    patient_class: str = ""
    place: Place = Place()
    #: FINESS of the establishment where the stay is (PV1-3.4, else the source's).
    finess: str = ""
    admitted_at: datetime | None = None
    discharged_at: datetime | None = None
    #: PV2-8, else EVN-3 of a preadmission or a pending admission.
    expected_admission_at: datetime | None = None
    #: PV2-9, else EVN-3 of a planned discharge.
    expected_discharge_at: datetime | None = None
    #: PV2-47: when somebody on leave is expected back.
    expected_return_at: datetime | None = None
    #: ZFM-2, else PV1-36: how the patient left. Empty when not said.
    discharge_mode: str = ""
    #: ZFM-4: code of the destination.
    discharge_destination: str = ""
    #: PV1-37: FINESS of the destination structure.
    discharge_finess: str = ""
    #: PV1-41 = D.
    closes_episode: bool = False
    #: PV1-51 = V: only the venue is annulled, else the dossier too.
    cancels_visit_only: bool = False
    attending_physician: Professional | None = None
    #: PV1-8.
    referring_physician: Professional | None = None
    #: ROL RP and RT: who else sent the patient.
    referrers: tuple[Professional, ...] = ()
    #: Version order of one movement: (EVN-2, MSH-7, MSH-10).
    recorded_at: datetime
    sent_at: datetime
    control_id: str


class ReattributionFact(Private, frozen=True, kw_only=True, omit_defaults=True, tag="reattribution"):
    """An episode given to another patient with all its visits (A44); who had it keeps all the rest."""

    #: Who has it from now on.
    patient: tuple[Identifier, ...]
    #: MRG-1: who had it by mistake.
    former: tuple[Identifier, ...]
    #: MRG-3, else PID-18.
    episode: Identifier
    recorded_at: datetime


class DocumentAction(enum.StrEnum):
    """What the sender does with a document: NW/T02, RO/T10, CA/T04."""

    PUBLISH = "publish"
    REPLACE = "replace"
    WITHDRAW = "withdraw"


class Addressee(Private, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody the sender asks the letter to be sent to (PRT with PRT-4 = RCT)."""

    #: MSSanté address, as written.
    address: str
    professional: Professional | None = None
    #: FINESS, or empty.
    organisation: str = ""
    organisation_name: str = ""
    #: The patient's matricule when the addressee is the patient.
    patient_matricule: str = ""
    #: Whether only a contact segment (CTD) names them: then the directory must confirm the address.
    unconfirmed: bool = False


class DocumentFlags(Private, frozen=True, kw_only=True, omit_defaults=True):
    """The MetaDMPMSS observations; None where the sender gave none (hl7v2 digest §5.5)."""

    masked_from_professionals: bool | None = None  #: MASQUE_PS
    hidden_from_patient: bool | None = None  #: INVISIBLE_PATIENT
    hidden_from_representatives: bool | None = None  #: INVISIBLE_REP_LEGAUX
    secret_connection: bool | None = None  #: CONNEXION_SECRETE
    changes_confidentiality: bool | None = None  #: MODIF_CONF_CODE
    to_dmp: bool | None = None  #: DESTDMP
    to_professionals: bool | None = None  #: DESTMSSANTEPS
    to_patient: bool | None = None  #: DESTMSSANTEPAT
    patient_may_not_reply: bool = False  #: NTE-4 = FIN after DESTMSSANTEPAT
    wants_delivery_receipt: bool = False  #: ACK_RECEPTION
    wants_read_receipt: bool = False  #: ACK_LECTURE_MSS


class DocumentFact(Private, frozen=True, kw_only=True, omit_defaults=True, tag="document"):
    """A document published, replaced or withdrawn."""

    patient: tuple[Identifier, ...]
    action: DocumentAction
    #: ClinicalDocument/id, as ``root`` or ``root^extension``.
    id: str
    #: ClinicalDocument/setId in the same form; the id when the sender gave none.
    set_id: str
    version: int
    #: Id of the document replaced, where the CDA or TXA-13 names one.
    replaces: str = ""
    #: Type code (JDV_J07), its code system OID and the label of the value set.
    type_code: str
    type_system: str = ""
    type_label: str = ""
    title: str
    #: ``N1`` (a PDF) or ``N3`` (structured).
    level: str
    created_at: datetime
    author: Professional | None = None
    author_organisation: str = ""
    #: N, R or V.
    confidentiality: str = "N"
    flags: DocumentFlags = DocumentFlags()
    addressees: tuple[Addressee, ...] = ()
    #: Where replies should go (PRT REPLY), and who sends (PRT SB): MSSanté addresses or names, empty when not said.
    reply_to: str = ""
    sender_name: str = ""
    #: CORPSMAIL_PS and CORPSMAIL_PATIENT, as text.
    mail_body: str = ""
    mail_body_patient: str = ""
    #: Whether the CDA's recordTarget is the patient of PID-3 with the same traits; false holds the letter.
    same_patient: bool
    #: Identity carried by the CDA itself, when qualified.
    ins: Ins | None = None
    traits: Traits | None = None
    visit: Identifier | None = None
    #: Whether that visit, or the episode, is known as another patient's; holds the letter. No message says it: the hub knows.
    visit_of_another: bool = False
    episode: Identifier | None = None
    patient_class: str = ""
    #: Who sent the patient: PV1-8, then ROL RP and RT.
    referrers: tuple[Professional, ...] = ()
    #: UF whose letter it is, by its code: PV1-3.1, else the stay's.
    unit: str = ""
    #: How the patient left and where to, as far as message or stay say: ZFM-2, ZFM-4 and PV1-37.
    discharge_mode: str = ""
    discharge_destination: str = ""
    discharge_finess: str = ""
    #: FINESS of the establishment that sends.
    finess: str = ""
    #: SHA-256 (hex) of the document's bytes: the blob that the reading carries beside its facts.
    digest: str
    recorded_at: datetime


class ReceiptFact(Private, frozen=True, kw_only=True, omit_defaults=True, tag="receipt"):
    """Something that became of a letter or an event sent earlier."""

    #: The hub's own unguessable id of the parcel (Message-ID, ENVID, CloudEvents id).
    correlation: str
    recipient: str = ""
    #: accepted, relayed, delivered, displayed, processed, rejected, deleted, picked-up.
    status: str
    code: str = ""
    at: datetime


Fact: TypeAlias = IdentityFact | MovementFact | ReattributionFact | DocumentFact | ReceiptFact
