"""MSSanté addresses: their strict form, a patient's address, and membership of a list of domains.

Sources: RFC 5321 §4.5.3.1 (lengths), mssante digest §1.2 (white list) and §1.6 (patients, ECO.2.2.6).
"""

from __future__ import annotations

import re
from collections.abc import Container

from liaison.private import Private

#: Domain of the patients' mailboxes of Mon espace santé.
PATIENT_DOMAIN = "patient.mssante.fr"

# Narrower than RFC 5322 on purpose: what real mailboxes use, and nothing that a header, a file name or a log could stumble on.
_LOCAL = re.compile(r"[A-Za-z0-9&'+_/-]+(?:\.[A-Za-z0-9&'+_/-]+)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_MATRICULE = re.compile(r"[1-9][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{8}")


class InvalidAddress(ValueError):
    """The text is not an MSSanté address. ``reason`` is French and never repeats the text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Address(Private, frozen=True, kw_only=True):
    """An address in its normal form: local part as written, domain in lower case."""

    local: str
    domain: str

    @property
    def text(self) -> str:
        """The address as it goes into a header or an SMTP command."""
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """What two spellings of one mailbox share."""
        return self.text.lower()


def parse_address(text: str) -> Address:
    """The address that ``text`` is, blanks around it ignored. Raises :class:`InvalidAddress`."""
    local, at, domain = text.strip(" ").rpartition("@")
    if not at or "@" in local:
        raise InvalidAddress("L'adresse doit comporter un seul @.")
    if len(local) > 64 or len(local) + 1 + len(domain) > 254:
        raise InvalidAddress(
            "L'adresse dépasse les longueurs permises (RFC 5321 §4.5.3.1 : 64 caractères avant le @, 254 en tout)."
        )
    if not _LOCAL.fullmatch(local):
        raise InvalidAddress("La partie avant le @ contient un caractère qui n'est pas permis.")
    if not _DOMAIN.fullmatch(domain) or domain.rpartition(".")[2].isdigit():
        raise InvalidAddress("Le domaine n'a pas la forme d'un nom de domaine.")
    return Address(local=local, domain=domain.lower())


def with_known_domain(text: str, domains: dict[str, str]) -> str:
    """What ``parse_address(text).text`` is, faster where many addresses share few domains, which ``domains`` remembers as written.

    Raises :class:`InvalidAddress`.
    """
    local, _, domain = text.strip(" ").rpartition("@")
    known = domains.get(domain)
    if known is not None and len(local) <= 64 and len(local) + len(known) < 254 and _LOCAL.fullmatch(local):
        return f"{local}@{known}"
    address = parse_address(text)
    domains[domain] = address.domain
    return address.text


def patient_address(matricule: str, *, domain: str = PATIENT_DOMAIN) -> Address:
    """A patient's address, from the matricule of a *qualified* INS only (ECO.2.2.6); the caller vouches for the qualification.

    Raises :class:`InvalidAddress` when ``matricule`` has not the fifteen characters of one.
    """
    if not _MATRICULE.fullmatch(matricule):
        raise InvalidAddress("Le matricule INS n'a pas la forme attendue (15 caractères, clé comprise).")
    return parse_address(f"{matricule}@{domain}")


def in_domains(address: Address, domains: Container[str]) -> bool:
    """Whether the address's domain is in the list, whole: a suffix proves nothing (mssante digest §1.2)."""
    return address.domain in domains
