"""Every event that the code logs has its line in the table, and every line is of an event that is logged."""

from __future__ import annotations

from pathlib import Path

import liaison
from liaison.service import log_events

PACKAGE = Path(liaison.__file__).parent
PAGE = PACKAGE.parent / "docs" / "reference" / "log-events.md"


def test_every_event_that_is_logged_is_explained() -> None:
    missing = set(log_events.logged(PACKAGE)) - set(log_events.EVENTS)
    assert not missing, f"say in liaison/service/log_events.py, EVENTS, when they are logged and what to do: {sorted(missing)}"


def test_nothing_is_explained_that_is_not_logged() -> None:
    gone = set(log_events.EVENTS) - set(log_events.logged(PACKAGE))
    assert not gone, f"nothing logs them any more: {sorted(gone)}"


def test_the_page_is_the_one_that_the_code_makes() -> None:
    made = log_events.reference_page()
    assert PAGE.read_text("utf-8") == made, "run: python -m liaison.service.log_events > docs/reference/log-events.md"


def test_no_field_is_made_for_a_value() -> None:
    """Fields name parts of the configuration, rules, counts and types; the set is short so that each is thought about."""
    fields = {field for each in log_events.logged(PACKAGE).values() for field in each.fields}
    assert not fields & {"patient", "ipp", "ins", "name", "birth", "address_of", "body", "raw", "message", "recipient", "mail"}


def test_events_named_by_a_caller_are_found() -> None:
    """``mllp.oversize`` is logged under the rule of the frame that was given up, ``mllp.too_noisy`` by a function that is told it."""
    found = log_events.logged(PACKAGE)
    assert {"bytes", "source", "peer"} <= found["mllp.oversize"].fields
    assert found["mllp.too_noisy"].level == "warning"
