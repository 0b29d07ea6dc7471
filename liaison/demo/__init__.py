"""A synthetic hospital, a GP's mailbox and a coordination platform, on loopback."""
