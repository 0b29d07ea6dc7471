"""The engine: takes readings in, keeps the journal, and gets every delivery to its end."""
