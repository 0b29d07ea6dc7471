"""One file per way in or out."""
