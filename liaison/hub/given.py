"""Whom a document was given to: a blind name of action, destination and recipient, kept with the document."""

from __future__ import annotations

from liaison.care.facts import DocumentAction
from liaison.hub.resolution import BlindIndex


def given_as(index: BlindIndex, action: DocumentAction, destination: str, recipient: str) -> bytes:
    """The name under which a document is known to be on its way to a recipient, or with them."""
    return index.named("mailed", f"{action}:{destination}", recipient.lower())
