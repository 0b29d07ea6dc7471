"""The journal: the truth, and the only SQL of the project."""
