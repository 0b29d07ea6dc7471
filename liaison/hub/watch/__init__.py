"""How a hub sees itself: what it counts, how it stands, what is wrong with that, and who was told."""
