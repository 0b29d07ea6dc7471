"""The file that goes with a PDF and says whose it is and for whom: a small layout of the hub's own, in JSON, XML or CSV."""
