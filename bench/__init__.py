"""Measurements of a whole hub from outside: ``python -m bench``."""
