"""The vault: keys, sealing and the blind index. Nothing about a person is stored but through it."""
