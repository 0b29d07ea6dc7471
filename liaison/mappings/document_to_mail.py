"""From a document to the mail that takes it to one recipient: CDA → PDF, XDM archive, MSSanté mail.

One call, made in a worker process after the commit; everything it takes and gives can be pickled. The same arguments give the same
bytes, so a parcel that had to be made again is the same parcel.
"""

from __future__ import annotations

import enum
import hashlib
import re
import uuid
from datetime import UTC, datetime
from typing import NoReturn

import msgspec

from liaison import __version__
from liaison.care.facts import DocumentAction, DocumentFact
from liaison.care.identifiers import ins_key_is_right
from liaison.cda.body import embedded_in
from liaison.cda.datatypes import ORGANISATION_ROOT, InstanceId
from liaison.cda.header import Header, header_of
from liaison.cda.narrative import Paragraph, Section, Text, read_narrative
from liaison.cda.parties import Organisation
from liaison.cda.xds import Coded, DocumentEntry, EntryAuthor, document_entry, xon
from liaison.cda.xml import CdaError, Element, parse
from liaison.mssante.address import Address, InvalidAddress, parse_address, patient_address
from liaison.mssante.ebrim import Replacement, Submission
from liaison.mssante.mail import LetterMail, Rendering, about, build_mail, french_date, letter_subject, one_line, pdf_name
from liaison.mssante.pdf import inspect_pdf
from liaison.mssante.rendering import NotRendered, render_letter
from liaison.mssante.xdm import ArchiveDocument, Producer, write_archive
from liaison.private import Private

#: SubmissionSet.contentTypeCode from PV1-2 (TDE mapping, cda-fr digest §4.2): TRE_R209-TypeActivite.
_CONTENT_TYPES = {
    "I": ("03", "Hospitalisation complète (non compris hospitalisation de semaine)"),
    "O": ("07", "Consultation Soins Externes"),
    "E": ("07", "Consultation Soins Externes"),
    "R": ("19", "Traitement et Cure Ambulatoire"),
    "N": ("97", "Type d'activité indifférencié"),
}
_ACTIVITIES = "1.2.250.1.213.2.2"


class LetterHeld(Exception):
    """The letter must not leave as it is. ``reason`` is French and names no one; ``rule`` is stable."""

    def __init__(self, reason: str, rule: str) -> None:
        super().__init__(reason, rule)
        self.reason = reason
        self.rule = rule


class RecipientKind(enum.StrEnum):
    """Whom a mail is for: it decides its words, and whether a reply is possible."""

    PROFESSIONAL = "professional"
    PATIENT = "patient"


class Recipient(Private, frozen=True, kw_only=True):
    """Where a letter goes. Who may get it was decided before (rules/recipient)."""

    address: str
    kind: RecipientKind = RecipientKind.PROFESSIONAL


class MailSender(msgspec.Struct, frozen=True, kw_only=True):
    """In whose name the hub writes, from the configuration of the source or of the destination."""

    address: str
    #: ``<Entité fonctionnelle>``, e.g. ``CH de Mont-de-Marsan – Cardiologie`` (ECO.2.2.7).
    label: str
    #: A mailbox that somebody reads; without one a patient may not reply.
    reply_to: str = ""
    #: X-MSS-NIL.
    nil: str = ""
    #: Telephone of the ward, for the text; empty when it is not known.
    phone: str = ""
    #: OID of the hub (XDS sourceId); one is derived from the address when empty.
    oid: str = ""


def letter_from_document(
    document: DocumentFact,
    cda: bytes,
    *,
    recipient: Recipient,
    sender: MailSender,
    message_id: str,
    now: datetime,
    previous_message_id: str = "",
) -> bytes:
    """The mail for one recipient, ready for SMTP. ``message_id`` and ``previous_message_id`` are without brackets.

    ``previous_message_id`` is the mail that told this recipient of the version that is replaced or withdrawn. A withdrawal gives a
    notice without the document, and needs no ``cda``. Raises :class:`LetterHeld`; ValueError for what the hub's configuration says
    wrongly.
    """
    mail = LetterMail(
        sender=parse_address(sender.address),
        label=sender.label,
        recipient=_recipient(recipient, document),
        reply_to=_reply_to(document, sender),
        message_id=message_id,
        previous_message_id=previous_message_id,
        date=now,
        subject="",
        body="",
        wants_read_receipt=document.flags.wants_read_receipt,
        nil=sender.nil,
    )
    if recipient.kind is RecipientKind.PATIENT:
        no_reply = document.flags.patient_may_not_reply or mail.reply_to is None
        mail = msgspec.structs.replace(mail, no_reply=no_reply)
    if document.action is DocumentAction.WITHDRAW:
        return build_mail(_notice(mail, document, cda, recipient, sender.phone))
    if hashlib.sha256(cda).hexdigest() != document.digest:
        raise LetterHeld("Les octets du document ne sont pas ceux qui ont été reçus.", "letter.other-bytes")
    try:
        root = parse(cda)
        header = header_of(root, cda)
        pdf = _readable(document, header, root)
    except CdaError as error:
        raise LetterHeld(error.finding.message, error.finding.rule) from None
    return build_mail(_letter(mail, document, header, cda, pdf, recipient, sender))


def _letter(
    mail: LetterMail, document: DocumentFact, header: Header, cda: bytes, pdf: bytes, recipient: Recipient, sender: MailSender
) -> LetterMail:
    entry = document_entry(header, cda, masks=_masks(document), entry_uuid=_entry_uuid(header.id.text), uri="DOC0001.XML")
    if not entry.patient_id:
        raise LetterHeld("Le document ne porte aucun identifiant du patient (recordTarget/patientRole/id).", "letter.no-patient-id")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", header.code.code):
        raise LetterHeld("Le code du type de document n'a pas la forme d'un code.", "letter.type-code")
    patient, label = header.patient, entry.type_code.label or header.title
    event = header.service_event
    acted = (event.start if event else None) or header.created
    given = patient.first_given
    return msgspec.structs.replace(
        mail,
        subject=letter_subject(label, patient.birth_family, given, patient.birth_date),
        body=_body(
            document, about(label, patient.birth_family, given, ""), patient.birth_date, recipient, _signature(mail, sender.phone)
        ),
        type_codes=(header.code.code,),
        # Référentiel #2, ECO.2.4.2: matricule, OID and traits, from a qualified identity.
        qualified_ins=document.ins is not None and patient.ins is not None and patient.has_strict_traits,
        archive=_archive(mail, document, entry, cda, sender),
        renderings=(Rendering(name=pdf_name(acted.date if acted else "", label, patient.birth_family, given), pdf=pdf),),
    )


def _readable(document: DocumentFact, header: Header, root: Element) -> bytes:
    """The PDF that goes beside the archive: the very one of an N1, else a rendering (ECO.2.1.5)."""
    replaces = document.action is DocumentAction.REPLACE
    if header.level == "N1":
        embedded = embedded_in(root)
        if embedded is not None and embedded.is_pdf:
            report = inspect_pdf(embedded.content)
            for objection in report.objections:
                raise LetterHeld(objection.message, objection.rule)
            return embedded.content
        if embedded is None or embedded.media_type != "text/plain":
            _cannot_render("Le document n'embarque ni PDF ni texte : il ne peut pas être mis en page.")
        sections: tuple[Section, ...] = (_plain_text(embedded.content),)
    else:
        sections = read_narrative(root)
    if not sections:
        _cannot_render("Le document n'a pas de partie lisible.")
    try:
        return render_letter(header, sections, notice="Annule et remplace la version précédente" if replaces else "")
    except NotRendered as error:
        _cannot_render(error.reason)


def _plain_text(content: bytes) -> Section:
    lines = content.decode("utf-8", "replace").splitlines()
    return Section(title="", blocks=tuple(Paragraph(runs=(Text(text=line),)) for line in lines if line.strip()))


def _cannot_render(reason: str) -> NoReturn:
    raise LetterHeld(reason, "letter.not-rendered")


def _archive(mail: LetterMail, document: DocumentFact, entry: DocumentEntry, cda: bytes, sender: MailSender) -> bytes:
    finess = (InstanceId(root=ORGANISATION_ROOT, extension=f"1{document.finess}"),) if document.finess else ()
    code, label = _CONTENT_TYPES.get(document.patient_class, _CONTENT_TYPES["N"])
    submission = Submission(
        unique_id=f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'mid:{mail.message_id}').int}",
        source_id=sender.oid or f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'mailto:{mail.sender.text}').int}",
        time=mail.date.astimezone(UTC).strftime("%Y%m%d%H%M%S"),
        patient_id=entry.patient_id,
        content_type=Coded(code=code, system=_ACTIVITIES, label=label),
        author=EntryAuthor(institution=xon(Organisation(ids=finess, name=one_line(mail.label, 120)))),
        title=entry.title,
        recipients=(mail.recipient.text,),
    )
    replaced = document.replaces if document.action is DocumentAction.REPLACE else ""
    return write_archive(
        (ArchiveDocument(entry=entry, content=cda),),
        submission,
        producer=Producer(organisation=mail.label, product=f"Liaison {__version__}", contact=(mail.reply_to or mail.sender).text),
        written_at=document.created_at,
        replacements=(Replacement(new=entry.entry_uuid, old=_entry_uuid(replaced)),) if replaced else (),
    )


def _entry_uuid(unique_id: str) -> str:
    """The entryUUID of a document: the same for each of its mails, so that RPLC can name the entry of the version before."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, unique_id)}"


def _masks(document: DocumentFact) -> frozenset[str]:
    flags = document.flags
    named = {
        "MASQUE_PS": flags.masked_from_professionals,
        "INVISIBLE_PATIENT": flags.hidden_from_patient,
        "INVISIBLE_REP_LEGAUX": flags.hidden_from_representatives,
    }
    return frozenset(name for name, said in named.items() if said)


def _recipient(recipient: Recipient, document: DocumentFact) -> Address:
    """The address, a patient's one only when it is that of the qualified INS of this very document (ECO.2.2.6)."""
    try:
        address = parse_address(recipient.address)
        if recipient.kind is not RecipientKind.PATIENT:
            return address
        if document.ins is None or not ins_key_is_right(document.ins.matricule):
            raise LetterHeld(
                "Le document ne porte pas d'INS qualifiée : il ne peut pas être adressé au patient.", "letter.patient-ins"
            )
        if patient_address(document.ins.matricule, domain=address.domain) != address:
            raise LetterHeld("L'adresse du patient n'est pas celle de l'INS du document.", "letter.patient-address")
    except InvalidAddress as error:
        raise LetterHeld(error.reason, "letter.recipient-address") from None
    return address


def _reply_to(document: DocumentFact, sender: MailSender) -> Address | None:
    """Where the message asks replies to go, if that is an address, else where the configuration does."""
    try:
        return parse_address(document.reply_to)
    except InvalidAddress:
        return parse_address(sender.reply_to) if sender.reply_to else None


def _signature(mail: LetterMail, phone: str) -> str:
    """Who writes, and how to reach them by telephone."""
    return f"{mail.label}\nTéléphone : {one_line(phone, 40)}" if phone else mail.label


def _notice(mail: LetterMail, document: DocumentFact, cda: bytes, recipient: Recipient, phone: str) -> LetterMail:
    """The mail that tells of a withdrawal. It names the document and the patient, from the message or the document it carried."""
    traits = document.traits
    family, given, birth_date = (traits.birth_name, traits.first_given_name, traits.birth_date) if traits else ("", "", "")
    if not family and cda:
        try:
            patient = header_of(parse(cda), cda).patient
        except CdaError as error:
            raise LetterHeld(error.finding.message, error.finding.rule) from None
        family, given, birth_date = patient.birth_family, patient.first_given, patient.birth_date
    if not family:
        raise LetterHeld("Le retrait ne dit pas de quel patient il s'agit.", "letter.withdrawal-patient")
    label = document.type_label or document.title or "Document"
    subject = f"Document retiré : {about(label, family, given, birth_date)}"
    return msgspec.structs.replace(
        mail, subject=subject, body=_body(document, about(label, family, given, ""), birth_date, recipient, _signature(mail, phone))
    )


#: What became of the document, said first and whatever the hospital's own words are (hl7v2 digest, mapping of actions C and D).
_NEWS = {
    DocumentAction.PUBLISH: "",
    DocumentAction.REPLACE: "Ce message ANNULE ET REMPLACE le document transmis précédemment, qui ne doit plus être utilisé.",
    DocumentAction.WITHDRAW: "Le document désigné ci-dessous a été RETIRÉ par son émetteur : il ne doit plus être utilisé.",
}


def _body(document: DocumentFact, what: str, birth_date: str, recipient: Recipient, signature: str) -> str:
    """The text: what became of the document, the hospital's own words (CORPSMAIL), else ours."""
    for_patient = recipient.kind is RecipientKind.PATIENT
    asked = document.mail_body_patient if for_patient else document.mail_body
    news = _NEWS[document.action]
    born = f", né(e) le {french_date(birth_date)}" if french_date(birth_date) else ""
    lines = ["Bonjour,", "", *([news, ""] if news else [])]
    if document.action is DocumentAction.WITHDRAW:
        lines += [f"Document : {what}{born}.", "", *([asked, ""] if asked else []), signature]
    elif asked:
        lines = [*([news, ""] if news else []), asked]
    elif for_patient:
        lines += [f"Veuillez trouver ci-joint un document de santé vous concernant : {what}{born}.", "", signature]
    else:
        lines += [
            f"Veuillez trouver ci-joint : {what}{born}.",
            "",
            "Le fichier PDF se lit directement ; le fichier IHE_XDM.ZIP contient le document structuré, que votre logiciel peut intégrer.",
            "",
            "Cordialement,",
            signature,
        ]
    return "\n".join(lines) + "\n"
