"""Whom a letter may go to, and what looking for their address brought to light. Pure.

Sources: mssante digest §5.2–5.3 (directory), CI-SIS Transmission (PRT RCT), PAM.fr §6.8 (ROL), §6.10 (PV1-8, PV1-37), §6.17 (ZFM).
"""

from __future__ import annotations

import enum
from collections.abc import Container, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from liaison.care.facts import Addressee, DocumentFact
from liaison.care.identifiers import finess, rpps
from liaison.care.person import Professional
from liaison.mssante.address import PATIENT_DOMAIN, Address, InvalidAddress, parse_address
from liaison.mssante.directory import Ambiguous, Chosen, DirectoryEntry, NoMailbox, Resolution
from liaison.private import Private
from liaison.rules.decision import Objection, Outcome, Owner
from liaison.rules.gates.document_flags import AddresseeKind
from liaison.rules.gates.identity import PatientView


class RecipientKind(enum.StrEnum):
    """What a route's ``recipients`` may list."""

    NAMED = "named"  #: whom the message names (PRT with PRT-4 = RCT)
    TREATING_PHYSICIAN = "treating-physician"  #: ROL ODRP, by RPPS, from the directory
    REFERRER = "referrer"  #: PV1-8, ROL RP and RT, by RPPS, from the directory
    DESTINATION_STRUCTURE = "destination-structure"  #: PV1-37, by FINESS: its organisational mailbox


class DirectoryLookup(Protocol):
    """What the rules ask of the national directory (:class:`liaison.mssante.directory.Directory`)."""

    def of_professional(self, rpps: str) -> Sequence[DirectoryEntry]: ...

    def of_address(self, address: str) -> Sequence[DirectoryEntry]: ...

    def of_structure(self, structure_id: str) -> Sequence[DirectoryEntry]: ...

    def resolve(self, rpps: str, *, structures: frozenset[str] = frozenset()) -> Resolution: ...

    def resolve_structure(self, finess: str) -> Resolution: ...


class Register(Private, frozen=True, kw_only=True):
    """What is known of addresses: the national directory, and what the region adds to it."""

    directory: DirectoryLookup | None = None
    #: Addresses in lower case that the region vouches for: applications' boxes, which the extraction leaves out, and the red list.
    partners: Container[str] = ()
    #: RPPS or FINESS → which of their several mailboxes to write to.
    preferred: Mapping[str, str] = {}


class Candidate(Private, frozen=True, kw_only=True):
    """Somebody the letter may go to, and what finding their address already brought to light."""

    address: Address | None = None
    #: What stands in the decision as the recipient: the address, as written when it cannot be read.
    text: str = ""
    kind: AddresseeKind = AddresseeKind.PROFESSIONAL
    #: Which of the route's ``recipients`` it is.
    of: RecipientKind = RecipientKind.NAMED
    rpps: str = ""
    matricule: str = ""
    objection: Objection | None = None
    #: Why the letter goes there, when nothing objects.
    reason: str = ""
    rule: str = ""

    @property
    def named(self) -> bool:
        """Whether the sender itself names them."""
        return self.of is RecipientKind.NAMED

    @property
    def serves(self) -> str:
        """Which of the route's ``recipients`` it is, or ``patient``."""
        return str(self.kind if self.kind is AddresseeKind.PATIENT else self.of)

    @property
    def key(self) -> str:
        """What two ways to one mailbox share."""
        return self.address.key if self.address else self.text


def candidates_of(document: DocumentFact, patient: PatientView, kinds: Sequence[str], register: Register) -> list[Candidate]:
    """Everybody that a route's ``recipients`` lead to, the message's own addressees first; a person once, by RPPS."""
    found = [_named(addressee, register) for addressee in document.addressees] if RecipientKind.NAMED in kinds else []
    by_rpps: list[tuple[Professional, _Words]] = []
    if RecipientKind.TREATING_PHYSICIAN in kinds and patient.treating_physician is not None:
        by_rpps.append((patient.treating_physician, _TREATING))
    if RecipientKind.REFERRER in kinds:
        by_rpps += [(person, _REFERRER) for person in document.referrers]
    for person, words in by_rpps:
        candidate = _known_by_rpps(person, words, register)
        # A letter that its sender already addresses to somebody needs no second way to the same person.
        if not candidate.rpps or candidate.rpps not in {one.rpps for one in found if one.rpps and one.objection is None}:
            found.append(candidate)
    if RecipientKind.DESTINATION_STRUCTURE in kinds:
        structure = _structure(document, register)
        if structure is not None:
            found.append(structure)
    return found


def _named(addressee: Addressee, register: Register) -> Candidate:
    number = rpps(addressee.professional.rpps) or "" if addressee.professional else ""
    if not addressee.address:
        return _named_by_number(number, register)
    try:
        address = parse_address(addressee.address)
    except InvalidAddress as fault:
        reason = f"L'adresse d'un destinataire nommé (PRT-15) ne peut être lue : {fault.reason}"
        return Candidate(text=addressee.address, rpps=number, objection=hold("recipient.malformed-address", reason, Owner.HOSPITAL))
    if address.domain == PATIENT_DOMAIN or addressee.patient_matricule:
        return Candidate(
            address=address,
            text=address.text,
            kind=AddresseeKind.PATIENT,
            matricule=addressee.patient_matricule,
            objection=None if address.domain == PATIENT_DOMAIN else _NOT_A_PATIENT_DOMAIN,
            reason="Le patient est destinataire, à l'adresse de son INS qualifiée.",
            rule="recipient.patient",
        )
    objection, reason = _ownership(address, number, addressee, register)
    return Candidate(address=address, text=address.text, rpps=number, objection=objection, reason=reason, rule="recipient.named")


def _named_by_number(number: str, register: Register) -> Candidate:
    """Somebody named without an address, as a CDA's informationRecipient is: the directory may know the one that is theirs."""
    match _mailbox_of(number, register):
        case Chosen(entry=entry, why=why):
            address = parse_address(entry.address)
            reason = f"Destinataire nommé sans adresse, à celle de l'annuaire : {why}."
            return Candidate(address=address, text=address.text, rpps=number, reason=reason, rule="recipient.named")
        case _:
            return Candidate(text=f"rpps:{number}" if number else "", rpps=number, objection=_NAMED_WITHOUT_ADDRESS)


def _mailbox_of(number: str, register: Register) -> Resolution:
    """The mailbox of an RPPS: the one that the region prefers, if it is theirs, else what the directory resolves to."""
    if register.directory is None or not number:
        return NoMailbox()
    wanted = register.preferred.get(number, "").lower()
    preferred = [entry for entry in register.directory.of_professional(number) if entry.address.lower() == wanted]
    return Chosen(entry=preferred[0], why="boîte préférée du professionnel") if preferred else register.directory.resolve(number)


def _ownership(address: Address, number: str, addressee: Addressee, register: Register) -> tuple[Objection | None, str]:
    """Whether the directory speaks against this address being the named professional's or structure's; else why the letter goes."""
    directory = register.directory
    if directory is None:
        if addressee.unconfirmed:
            return _UNCONFIRMED_CONTACT, ""
        return None, "Destinataire nommé par l'émetteur (aucun annuaire n'est configuré pour rapprocher l'adresse du RPPS)."
    rows = directory.of_address(address.text)
    owners = {entry.rpps for entry in rows if entry.rpps}
    if number and number in owners:
        return None, "Destinataire nommé par l'émetteur ; l'annuaire confirme que l'adresse est la sienne."
    if address.key in register.partners:
        return None, "Destinataire nommé par l'émetteur ; l'adresse est au registre des partenaires de la région."
    if number and owners:
        return _NOT_HIS_ADDRESS, ""
    if number and not rows and directory.of_professional(number):
        return _HAS_OTHER_ADDRESSES, ""
    # A shared mailbox has no RPPS: naming the structure, and not only somebody of it, is what can be compared.
    structure = addressee.organisation
    if structure and rows and not any(is_of_structure(entry, structure) for entry in rows) and directory.of_structure(structure):
        return _NOT_THE_STRUCTURES, ""
    if rows:
        return None, "Destinataire nommé par l'émetteur ; l'adresse est dans l'annuaire et rien n'y contredit le destinataire."
    return (_UNCONFIRMED_CONTACT if addressee.unconfirmed else _NOT_IN_DIRECTORY), ""


def is_of_structure(entry: DirectoryEntry, number: str) -> bool:
    """Whether a row hangs on the structure of a FINESS, written alone or as idNat_Struct (``1`` before it)."""
    return entry.structure_id in (number, f"1{number}")


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a professional who is found by RPPS, by the part that they play."""

    of: RecipientKind
    rule: str
    #: Begins with the article, as a reason does.
    who: str
    declared: str


_TREATING: Final = _Words(
    of=RecipientKind.TREATING_PHYSICIAN, rule="treating", who="Le médecin traitant", declared="Médecin traitant déclaré (ROL ODRP)"
)
_REFERRER: Final = _Words(
    of=RecipientKind.REFERRER,
    rule="referrer",
    who="Le médecin adresseur",
    declared="Médecin adresseur ou correspondant (PV1-8, ROL RP, RT)",
)


def _known_by_rpps(person: Professional, words: _Words, register: Register) -> Candidate:
    number = rpps(person.rpps)
    if number is None:
        reason = f"{words.who} est donné sans numéro RPPS : son adresse ne peut être cherchée."
        return _nowhere(words, "", hold(f"recipient.{words.rule}-without-rpps", reason, Owner.HOSPITAL))
    if register.directory is None:
        return _nowhere(words, number, _NO_DIRECTORY)
    match _mailbox_of(number, register):
        case Chosen(entry=entry, why=why):
            address = parse_address(entry.address)
            return Candidate(
                address=address,
                text=address.text,
                of=words.of,
                rpps=number,
                reason=f"{words.declared}, à l'adresse de l'annuaire : {why}.",
                rule=f"recipient.{words.of}",
            )
        case Ambiguous():
            reason = f"{words.who} a plusieurs boîtes de structures différentes dans l'annuaire : une personne choisit."
            return _nowhere(words, number, hold(f"recipient.{words.rule}-ambiguous", reason, Owner.GCS))
        case _:
            reason = f"{words.who} n'a aucune boîte dans l'annuaire : autre voie à trouver."
            return _nowhere(words, number, hold(f"recipient.{words.rule}-without-mailbox", reason, Owner.GCS))


def _nowhere(words: _Words, number: str, objection: Objection) -> Candidate:
    # Each referrer that cannot be found is a decision of its own; there is one treating physician.
    text = "" if words is _TREATING else f"rpps:{number}"
    return Candidate(text=text, of=words.of, rpps=number, objection=objection)


#: ZFM-4: destinations that are a structure, which PV1-37 should name (PAM.fr §6.17). Empty is home, 8 home with a SSIAD.
STRUCTURES: Final = {
    "1": "un autre court séjour (MCO)",
    "2": "un SMR",
    "3": "un établissement de long séjour",
    "4": "un établissement de psychiatrie",
    "6": "une HAD",
    "7": "un EHPAD ou un autre hébergement médico-social",
}
#: ZFM-2: within the establishment, or dead.
_NOBODY_AHEAD: Final = frozenset({"0", "6", "9"})


def _structure(document: DocumentFact, register: Register) -> Candidate | None:
    """The mailbox of the structure that the patient leaves for; None when they go home, stay in the house, or died."""
    if document.discharge_mode in _NOBODY_AHEAD:
        return None
    number = finess(document.discharge_finess)
    if number is None:
        where = STRUCTURES.get(document.discharge_destination)
        if where is None:
            return None
        reason = f"Le patient sort vers {where} (ZFM-4), mais PV1-37 ne donne pas le FINESS de la structure."
        return Candidate(
            text="finess:",
            of=RecipientKind.DESTINATION_STRUCTURE,
            objection=hold("recipient.structure-without-finess", reason, Owner.HOSPITAL),
        )
    if number == document.finess:
        return None
    text = f"finess:{number}"
    if register.directory is None:
        return Candidate(text=text, of=RecipientKind.DESTINATION_STRUCTURE, objection=_NO_DIRECTORY)
    wanted = register.preferred.get(number, "")
    known = {entry.address.lower() for entry in register.directory.of_structure(number)}
    if wanted and (wanted.lower() in known or wanted.lower() in register.partners):
        return _to_structure(parse_address(wanted), "boîte préférée de la structure")
    match register.directory.resolve_structure(number):
        case Chosen(entry=entry, why=why):
            return _to_structure(parse_address(entry.address), why)
        case Ambiguous():
            return Candidate(text=text, of=RecipientKind.DESTINATION_STRUCTURE, objection=_STRUCTURE_AMBIGUOUS)
        case _:
            return Candidate(text=text, of=RecipientKind.DESTINATION_STRUCTURE, objection=_STRUCTURE_WITHOUT_MAILBOX)


def _to_structure(address: Address, why: str) -> Candidate:
    return Candidate(
        address=address,
        text=address.text,
        of=RecipientKind.DESTINATION_STRUCTURE,
        reason=f"Structure de destination (PV1-37), à l'adresse de l'annuaire : {why}.",
        rule="recipient.destination-structure",
    )


def hold(rule: str, reason: str, owner: Owner) -> Objection:
    """An objection that waits for a person."""
    return Objection(outcome=Outcome.HOLD, reason=reason, rule=rule, owner=owner)


_NOT_A_PATIENT_DOMAIN: Final = hold(
    "recipient.patient-domain",
    f"Le destinataire est le patient, mais l'adresse n'est pas dans le domaine {PATIENT_DOMAIN}.",
    Owner.HOSPITAL,
)
_NOT_HIS_ADDRESS: Final = hold(
    "recipient.not-their-address",
    "L'annuaire donne cette adresse à un autre que le professionnel nommé : l'établissement vérifie le destinataire.",
    Owner.HOSPITAL,
)
_HAS_OTHER_ADDRESSES: Final = hold(
    "recipient.not-their-address",
    "L'annuaire connaît le professionnel nommé, à d'autres adresses que celle-ci : l'établissement vérifie le destinataire.",
    Owner.HOSPITAL,
)
_NOT_THE_STRUCTURES: Final = hold(
    "recipient.not-their-address",
    "L'annuaire donne cette adresse à une autre structure que celle qui est nommée : l'établissement vérifie le destinataire.",
    Owner.HOSPITAL,
)
_NOT_IN_DIRECTORY: Final = hold(
    "recipient.not-in-directory",
    "L'annuaire ne connaît pas cette adresse (liste rouge, boîte applicative, erreur) : une personne la confirme, ou la région "
    "l'inscrit à ses partenaires ([letters] partners).",
    Owner.GCS,
)
_UNCONFIRMED_CONTACT: Final = hold(
    "recipient.unconfirmed-contact",
    "L'adresse vient d'un segment CTD, que rien ne certifie, et l'annuaire ne la confirme pas : l'établissement vérifie le destinataire.",
    Owner.HOSPITAL,
)
_NAMED_WITHOUT_ADDRESS: Final = hold(
    "recipient.named-without-address",
    "Un destinataire est nommé sans adresse MSSanté, et l'annuaire n'en donne pas une qui soit sûrement la sienne.",
    Owner.HOSPITAL,
)
_NO_DIRECTORY: Final = hold(
    "recipient.no-directory",
    "Aucun annuaire n'est configuré ([letters] directory) : l'adresse du destinataire ne peut être cherchée.",
    Owner.GCS,
)
_STRUCTURE_AMBIGUOUS: Final = hold(
    "recipient.structure-ambiguous",
    "La structure de destination a plusieurs boîtes dans l'annuaire : une personne choisit, ou la région en préfère une "
    "([letters] preferred).",
    Owner.GCS,
)
_STRUCTURE_WITHOUT_MAILBOX: Final = hold(
    "recipient.structure-without-mailbox",
    "L'annuaire ne donne aucune boîte à la structure de destination (PV1-37) : autre voie à trouver.",
    Owner.GCS,
)
