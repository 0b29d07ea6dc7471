"""Tables of rules, as data: each row with the text it comes from."""
