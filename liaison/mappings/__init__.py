"""One file per translation between a format and care or events. Pure."""
