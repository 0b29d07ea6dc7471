"""The matrix of document flags, every combination, against an encoding of its own."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.facts import DocumentFlags
from liaison.rules.decision import Outcome, Owner
from liaison.rules.gates.document_flags import FLAGS, AddresseeKind, FlagsPolicy, check_flags, matrix

PROFESSIONAL, PATIENT = AddresseeKind.PROFESSIONAL, AddresseeKind.PATIENT
POLICIES: tuple[FlagsPolicy, ...] = ("default", "strict")

#: The ANS MDM sample CR_Radio_INIT_N1 and ORU sample CR_Bio_INIT_N3, in the order of FLAGS.
ANS_MDM = (False, True, True, True, True, True, False)
ANS_ORU = (False, False, False, False, True, True, True)


def flags_of(values: tuple[bool | None, ...]) -> DocumentFlags:
    mask, patient, representatives, secret, dmp, to_ps, to_patient = values
    return DocumentFlags(
        masked_from_professionals=mask,
        hidden_from_patient=patient,
        hidden_from_representatives=representatives,
        secret_connection=secret,
        to_dmp=dmp,
        to_professionals=to_ps,
        to_patient=to_patient,
    )


def expected(values: tuple[bool, ...], addressee: AddresseeKind, named: bool, policy: FlagsPolicy) -> Outcome:
    """The specification's three rows and the default's two, written as conditions."""
    mask, patient, representatives, secret, dmp, to_ps, to_patient = values
    served: set[AddresseeKind] | None = None
    if to_ps and to_patient and not (mask or patient or representatives):
        served = {PROFESSIONAL, PATIENT}
    elif to_ps and not to_patient and not mask and ((patient and not representatives) or policy == "default"):
        served = {PROFESSIONAL}
    elif to_patient and not to_ps and not (patient or secret or dmp):
        served = {PATIENT}
    elif policy == "default" and dmp and not to_ps and not to_patient:
        served = set()
    if (mask and addressee is PROFESSIONAL) or (patient and addressee is PATIENT) or served is None:
        return Outcome.HOLD
    if addressee in served:
        return Outcome.DELIVER
    return Outcome.HOLD if named else Outcome.DROP


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("addressee", list(AddresseeKind))
def test_every_combination_has_the_outcome_of_the_matrix(policy: FlagsPolicy, named: bool, addressee: AddresseeKind) -> None:
    for values in itertools.product((False, True), repeat=len(FLAGS)):
        objection = check_flags(flags_of(values), addressee, named=named, policy=policy).objection
        outcome = objection.outcome if objection else Outcome.DELIVER
        assert outcome is expected(values, addressee, named, policy), values
        if objection is not None:
            assert objection.reason and objection.rule.startswith("flags.")
            assert (objection.owner is Owner.HOSPITAL) == (objection.outcome is Outcome.HOLD)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_masked_document_never_reaches_those_it_is_masked_to(policy: FlagsPolicy) -> None:
    for values in itertools.product((None, False, True), repeat=len(FLAGS)):
        flags = flags_of(values)
        if flags.masked_from_professionals:
            assert check_flags(flags, PROFESSIONAL, policy=policy).objection is not None
        if flags.hidden_from_patient:
            assert check_flags(flags, PATIENT, policy=policy).objection is not None
        if not flags.to_patient:
            assert check_flags(flags, PATIENT, policy=policy).objection is not None


def test_the_strict_table_is_the_specifications_three_rows() -> None:
    assert [row.name for row in matrix("strict")] == ["professionals-and-patient", "professionals-only", "patient-only"]
    assert all(row.source for row in matrix("default"))
    assert {row.name for row in matrix("default")} - {row.name for row in matrix("strict")} == {"gp-only", "dmp-only"}


def test_the_ans_mdm_leaves_by_the_opened_row_which_says_so() -> None:
    opinion = check_flags(flags_of(ANS_MDM), PROFESSIONAL)
    assert opinion.objection is None
    assert {finding.rule for finding in opinion.findings} == {"flags.gp-only-row"}
    assert check_flags(flags_of(ANS_MDM), PROFESSIONAL, policy="strict").objection is not None


def test_the_ans_oru_serves_professional_and_patient_under_both_policies() -> None:
    for policy, addressee in itertools.product(POLICIES, AddresseeKind):
        opinion = check_flags(flags_of(ANS_ORU), addressee, policy=policy)
        assert opinion.objection is None
        assert not opinion.findings


def test_the_specifications_own_row_needs_no_finding() -> None:
    opinion = check_flags(flags_of((False, True, False, False, False, True, False)), PROFESSIONAL)
    assert opinion.objection is None and not opinion.findings


def test_no_flags_at_all_lets_professionals_be_served_with_a_warning_and_no_patient() -> None:
    opinion = check_flags(DocumentFlags(), PROFESSIONAL)
    assert opinion.objection is None
    assert "flags.dest-ps-absent" in {finding.rule for finding in opinion.findings}
    assert check_flags(DocumentFlags(), PATIENT).objection is not None


def test_a_hold_names_the_flags_in_its_reason() -> None:
    objection = check_flags(flags_of((False, True, True, True, False, True, True)), PROFESSIONAL).objection
    assert objection is not None and objection.rule == "flags.not-in-matrix"
    assert "INVISIBLE_PATIENT = Y" in objection.reason and "MASQUE_PS = N" in objection.reason


@given(st.tuples(*[st.none() | st.booleans()] * 7), st.booleans(), st.booleans())
def test_free_flags_change_nothing(values: tuple[bool | None, ...], changes: bool, receipts: bool) -> None:
    plain = flags_of(values)
    other = DocumentFlags(
        **{field: getattr(plain, field) for field in FLAGS.values()},
        changes_confidentiality=changes,
        wants_delivery_receipt=receipts,
        wants_read_receipt=receipts,
    )
    for addressee in AddresseeKind:
        assert check_flags(plain, addressee) == check_flags(other, addressee)
