"""Liaison: from a hospital's HL7 feed to the coordination platform and the GP's secure mailbox."""

__version__ = "0.1.0"
