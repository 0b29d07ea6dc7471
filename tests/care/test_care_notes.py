"""Notes: each rule that a fold can note has its words."""

from __future__ import annotations

from liaison.care import notes
from liaison.finding import Severity


def test_every_rule_has_words_and_only_new_notes_are_said() -> None:
    rules = tuple(value for name, value in vars(notes).items() if name.isupper() and isinstance(value, str))
    assert len(rules) == 8
    findings = notes.findings_of_notes((), rules)
    assert tuple(finding.rule for finding in findings) == rules
    assert all(finding.message and finding.where for finding in findings)
    assert notes.findings_of_notes(rules, rules) == ()
    (one,) = notes.findings_of_notes(rules[1:], rules)
    assert (one.rule, one.severity) == (notes.UPDATE_OF_UNKNOWN, Severity.WARNING)
