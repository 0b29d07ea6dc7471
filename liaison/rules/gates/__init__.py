"""Gates: each says what it objects to, or nothing. Pure."""
