"""In whose name letters leave: the destination's, the source's, the unit's, each over the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from liaison.care.units import Unit
from liaison.mappings.document_to_mail import MailSender
from liaison.mssante.address import InvalidAddress, parse_address
from liaison.service.configuration import Configuration, DestinationConfiguration, UnitSender


def mail_sender(configuration: Configuration, declared: DestinationConfiguration) -> MailSender:
    """In whose name a destination's letters leave when neither source nor unit say."""
    common = declared.common
    return MailSender(
        address=common.sender,
        label=common.label or configuration.hub.name,
        reply_to=common.reply_to,
        nil=configuration.letters.nil,
    )


def senders_of(
    configuration: Configuration, declared: DestinationConfiguration, units: Mapping[str, Mapping[str, Unit]]
) -> Callable[[str, str], MailSender]:
    """For a destination: source and unit's code → in whose name their letters leave.

    A known unit adds its label to the establishment's (ECO.2.2.7: « Hopital A – Service Cardiologie »), its phone, and its mailbox for
    replies.
    """
    base = mail_sender(configuration, declared)

    def sender_of(source: str, code: str) -> MailSender:
        settings = configuration.sources.get(source)
        if settings is None:
            return base
        said, unit = settings.common, units.get(source, {}).get(code)
        own = said.unit_senders.get(code, UnitSender())
        label = said.label or base.label
        return replace(
            base,
            address=own.sender or said.sender or base.address,
            label=own.label or (f"{label} – {unit.label}" if unit is not None and unit.label else label),
            reply_to=own.reply_to or _mailbox(unit) or said.reply_to or base.reply_to,
            phone=unit.phone if unit is not None else "",
        )

    return sender_of


def _mailbox(unit: Unit | None) -> str:
    """The unit's mailbox, when the referential writes an address there: it must not stop a letter."""
    try:
        return parse_address(unit.mailbox).text if unit is not None and unit.mailbox else ""
    except InvalidAddress:
        return ""
