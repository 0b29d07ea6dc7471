"""What an operator may ask of a running hub: one file a subject, all of them in the table of ``service/control.py``."""
