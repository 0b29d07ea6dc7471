"""The second opinion of ``liaison explain --strict``: the structure of a message by HL7's own tables."""

from __future__ import annotations

from liaison.finding import Finding
from liaison.hl7.errors import Hl7Error
from liaison.hl7.message import Message
from liaison.hl7.structure import structure_findings
from liaison.hub.explain import Explained


def structure_of(explained: Explained) -> tuple[Finding, ...]:
    """What is wrong with the structure; nothing for what is no HL7 v2 message: the reading says so already."""
    try:
        message = Message.parse(explained.reading.raw)
    except Hl7Error:
        return ()
    return structure_findings(message)
