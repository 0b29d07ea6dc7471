"""Events on the wire: CloudEvents 1.0, read back as written, refused without a word of what they hold."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.events.data import (
    DischargeData,
    DocumentData,
    EventData,
    IdentifierData,
    IdentityData,
    InsData,
    InvalidEventError,
    LetterData,
    PersonData,
    ProfessionalData,
    StayData,
    VenueData,
)
from liaison.events.envelope import Event, from_cloudevent_json, to_cloudevent_json
from liaison.events.types import TYPES

T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
SECRET = "ZZCANARY"
PERSON = PersonData(
    ipp=(IdentifierData(authority="finess:400011177", value="800"),),
    ins=InsData(matricule="279034019200185", oid="1.2.250.1.213.1.4.10"),
    statuses=("VALI",),
    birth_name=SECRET,
    first_given_name="ZOE",
    birth_date="19790301",
    sex="F",
    birthplace_cog="40192",
)
VISIT = IdentifierData(authority="finess:400011177", value="V1")
VENUE = VenueData(id="s1", visit=VISIT, finess="400011177", status="discharged", discharge=DischargeData(mode="8"), admitted_at=T0)
LETTER = LetterData(
    id="1.2", set_id="1.2", version=1, status="current", type_code="11490-0", title="Lettre", created_at=T0, digest="0" * 64
)
DATA: dict[str, EventData] = {
    "stay": StayData(patient=PERSON, stay=VENUE, treating_physician=ProfessionalData(rpps="10001234567")),
    "identity": IdentityData(patient=PERSON, absorbed=("p2",)),
    "patient": IdentityData(patient=PERSON, deceased=True, deceased_at=T0),
    "document": DocumentData(patient=PERSON, document=LETTER, visit=VISIT),
}
TOLD = [name for name, row in TYPES.items() if row.data is not None]


def event(name: str = "stay.discharged", **more: Any) -> Event:
    given: dict[str, Any] = {
        "id": "m1.0",
        "type": name,
        "subject": "p1",
        "source": "urn:finess:400011177",
        "time": T0,
        "recorded_at": T0,
        "data": DATA[name.partition(".")[0]],
        "revision": 3,
        **more,
    }
    return Event(**given)


def test_an_event_is_a_structured_cloudevent() -> None:
    body = json.loads(to_cloudevent_json(event(undoes="m0.0", historic=True), lane_seq=7, lane="lane-1"))
    assert {name: value for name, value in body.items() if name != "data"} == {
        "specversion": "1.0",
        "id": "m1.0",
        "source": "urn:finess:400011177",
        "type": "fr.liaison.stay.discharged.v1",
        "subject": "p1",
        "time": "2026-11-20T08:00:00Z",
        "datacontenttype": "application/json",
        "recordedtime": "2026-11-20T08:00:00Z",
        "revision": 3,
        "undoes": "m0.0",
        "historic": True,
        "lane": "lane-1",
        "laneseq": 7,
    }
    assert body["data"]["stay"]["status"] == "discharged"


def test_attribute_names_are_lower_case_alphanumeric() -> None:
    body = json.loads(to_cloudevent_json(event(undoes="x", historic=True), lane_seq=1, lane="l"))
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in body)


@pytest.mark.parametrize("name", TOLD)
def test_every_type_is_read_back_as_written(name: str) -> None:
    written = event(name)
    assert from_cloudevent_json(to_cloudevent_json(written, lane_seq=None)) == written


@given(
    revision=st.integers(0, 2**31 - 1),
    time=st.datetimes(timezones=st.just(UTC)),
    identifier=st.text(min_size=1),
    mode=st.text(max_size=3),
    status=st.sampled_from(["present", "discharged", "cancelled"]),
)
def test_any_event_is_read_back_as_written(
    revision: int, time: datetime, identifier: str, mode: str, status: Literal["present", "discharged", "cancelled"]
) -> None:
    venue = msgspec.structs.replace(VENUE, discharge=DischargeData(mode=mode), status=status)
    written = event(id=identifier, revision=revision, time=time, data=StayData(patient=PERSON, stay=venue))
    try:
        body = to_cloudevent_json(written, lane_seq=1, lane=identifier)
    except UnicodeEncodeError:  # a lone surrogate has no bytes
        return
    assert from_cloudevent_json(body) == written


@pytest.mark.parametrize(
    "change",
    [
        {"type": "fr.liaison.stay.evaporated.v1"},
        {"type": "fr.liaison.letter.sent.v1"},
        {"specversion": "0.3"},
        {"time": "yesterday"},
        {"time": "2026-11-20T08:00:00"},
        {"revision": "three"},
        {"subject": ""},
        {"data": {"patient": {"sex": SECRET}}},
        {"data": {"patient": {"birth_name": SECRET, "ins": {"matricule": "279034019200185", "oid": "1.2"}}, "stay": {}}},
        {"data": SECRET},
        {"data": None},
    ],
)
def test_what_is_not_such_an_event_is_refused_without_repeating_it(change: dict[str, Any]) -> None:
    body = {**json.loads(to_cloudevent_json(event(), lane_seq=1)), **change}
    with pytest.raises(InvalidEventError) as refused:
        from_cloudevent_json(json.dumps(body).encode())
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(InvalidEventError):
        from_cloudevent_json(noise)


def test_depth_and_size_are_bounded() -> None:
    for body in (b"[" * 100_000, b" " * 300_000, b'{"specversion":"1.0","data":' + b"[" * 100_000):
        with pytest.raises(InvalidEventError):
            from_cloudevent_json(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "stay.evaporated"},
        {"type": "letter.sent"},
        {"type": "identity.created"},
        {"id": ""},
        {"source": ""},
        {"time": datetime(2026, 11, 20)},
        {"revision": 2**31},
    ],
)
def test_an_event_built_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidEventError):
        msgspec.structs.replace(event(), **wrong)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (PERSON, {"birthplace_cog": ""}),
        (PERSON, {"birth_date": "1979-03"}),
        (PERSON, {"sex": "X"}),
        (VENUE, {"status": "gone"}),
        (VENUE, {"discharged_at": datetime(2026, 11, 20)}),
        (LETTER, {"status": "gone"}),
        (LETTER, {"created_at": datetime(2026, 11, 20)}),
    ],
)
def test_data_built_wrong_is_refused(value: msgspec.Struct, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidEventError) as refused:
        msgspec.structs.replace(value, **wrong)
    assert SECRET not in str(refused.value)


def test_an_event_prints_nothing_of_itself() -> None:
    assert repr(event()) == "<Event>"
    assert SECRET not in repr(event().data)
