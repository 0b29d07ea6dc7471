from __future__ import annotations

import pytest

from liaison.conformance.report import SilenceLine
from liaison.conformance.silences import SILENCES
from liaison.finding import Severity
from tests.conformance.feeds import HOSPITAL, adt, examined, moved, silence
from tests.hub.er7 import letter_message

#: Name of a silence → a feed in which it is silent, one in which it is not.
CASES: dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {
    "identity-status": ((adt(PID_32=""),), (adt(),)),
    "ins": ((adt(PID_3=f"1^^^{HOSPITAL}^PI"),), (adt(),)),
    "qualified-identity": ((adt(PID_32="PROV"),), (adt(),)),
    "treating-physician": ((adt(),), (adt("A01", "ROL||UC|ODRP|10100000017^DUPOUY^Claire"),)),
    "movement-segment": ((adt(without=["ZBE"]),), (adt(),)),
    "medical-unit": ((adt(ZBE_7=""),), (adt(),)),
    "establishment": ((adt(PV1_3="2111^12^B"),), (adt(),)),
    "admitted-at": ((adt(PV1_44=""),), (adt(),)),
    "discharge": ((adt(),), (adt(), moved("A03", 2, 16))),
    "discharged-at": ((moved("A03", 2, 16),), (moved("A03", 2, 16, PV1_45="20261120160000"),)),
    "exit-mode": ((moved("A03", 2, 16),), (moved("A03", 2, 16, ZFM_2="8"),)),
    "destination": ((moved("A03", 2, 16, ZFM_2="8"),), (moved("A03", 2, 16, ZFM_2="8", ZFM_4="7"),)),
    "expected-discharge": ((adt(),), (adt(), moved("A16", 2, 12))),
    "correction": ((adt(),), (adt(), moved("Z99", 2, 12, movement="M1", ZBE_4="UPDATE", ZBE_6="A01"))),
    "cancel": ((adt(),), (adt(), moved("A11", 2, 12, movement="M1", ZBE_4="CANCEL", ZBE_6="A01"))),
    "identity-event": ((adt(),), (adt(), adt("A31", PV1_2="N", MSH_10="C2", without=["ZBE"]))),
    "merge": ((adt(),), (adt(), adt("A40", f"MRG|7^^^{HOSPITAL}^PI", MSH_10="C2", without=["PV1", "ZBE"]))),
    "letter": ((adt(),), (adt(), letter_message())),
}


def test_every_silence_is_tried() -> None:
    assert {f"silence.{name}" for name in CASES} == {one.rule for one in SILENCES}


def line(name: str, *messages: bytes) -> SilenceLine:
    said = silence(examined(*messages), name)
    assert said is not None
    return said


@pytest.mark.parametrize("name", CASES)
def test_what_no_message_says_is_a_silence(name: str) -> None:
    silent, spoken = CASES[name]
    never = line(name, *silent)
    assert (never.said, never.severity is not None) == (0, True)
    assert line(name, *spoken).severity is None
    assert line(name, *spoken).said == 1


def test_what_no_message_could_say_is_not_asked_for() -> None:
    report = examined(adt())
    assert silence(report, "discharged-at") is None


def test_silences_come_first_worst_first() -> None:
    severities = [one.severity for one in examined(adt(PID_32=""), moved("A03", 2, 16)).silences]
    order = [Severity.WARNING, Severity.INFORMATION, None]
    assert severities == sorted(severities, key=order.index)


def test_a_share_counts_the_messages_that_could_say_it() -> None:
    said = line("ins", adt(), adt(PID_3=f"1^^^{HOSPITAL}^PI", MSH_10="C2"), adt(MSH_10="C3"))
    assert (said.said, said.among) == (2, 3)
