"""A running hub: its configuration, the table of kinds, start and drain."""
