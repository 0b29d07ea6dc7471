"""People and their stays: who somebody is, where they are in their stay, and what a message changed. Pure."""
