"""Decisions: what leaves, to whom, and why not. Pure; every decision carries its reason and its rule."""
