from __future__ import annotations

import pytest

from liaison.hl7.triggers import TRIGGERS, Deed, Handling, Transaction, Usage, original_of

#: Kept, without effect yet.
NOT_YET = {"A49"}


def test_every_event_of_pam_is_understood_but_for_the_announced_few() -> None:
    assert {code for code, trigger in TRIGGERS.items() if trigger.handling is Handling.IGNORED} == NOT_YET


def test_what_is_withdrawn_or_excluded_is_tolerated_and_nothing_else() -> None:
    for trigger in TRIGGERS.values():
        out_of_place = trigger.usage in (Usage.WITHDRAWN, Usage.EXCLUDED)
        assert (trigger.handling is Handling.TOLERATED) == out_of_place, trigger.code


def test_every_cancel_names_events_that_insert_and_belong_to_the_same_transaction() -> None:
    for trigger in TRIGGERS.values():
        for cancelled in trigger.cancels:
            assert TRIGGERS[cancelled].deed is Deed.INSERT
            assert TRIGGERS[cancelled].transaction is trigger.transaction
        if trigger.deed is Deed.CANCEL:
            assert trigger.cancels


def test_every_required_movement_can_be_cancelled() -> None:
    cancelled = {code for trigger in TRIGGERS.values() for code in trigger.cancels}
    required = {
        code
        for code, trigger in TRIGGERS.items()
        if trigger.deed is Deed.INSERT and trigger.usage is Usage.REQUIRED and trigger.transaction is Transaction.MOVEMENT
    }
    assert required <= cancelled


def test_an_identity_event_does_nothing_to_a_movement() -> None:
    assert all(trigger.deed is None for trigger in TRIGGERS.values() if trigger.transaction is Transaction.IDENTITY)


@pytest.mark.parametrize(
    ("code", "patient_class", "expected"),
    [("A11", "I", "A01"), ("A11", "O", "A04"), ("A11", "E", "A04"), ("A13", "I", "A03"), ("A06", "I", "A07"), ("A01", "I", "")],
)
def test_the_event_that_a_cancel_annuls_is_told_by_the_table_and_the_class(code: str, patient_class: str, expected: str) -> None:
    assert original_of(TRIGGERS[code], patient_class) == expected
