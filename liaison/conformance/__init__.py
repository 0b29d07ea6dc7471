"""A day's export of a hospital, against the French profile: what departs from it, where, how often, and what to change first."""
