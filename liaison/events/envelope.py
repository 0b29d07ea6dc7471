"""The event and its CloudEvents 1.0 envelope in structured mode (``application/cloudevents+json``)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

import msgspec

from liaison.events.data import EventData, InvalidEventError
from liaison.events.types import CLOUD_TYPES, NAMES, TYPES
from liaison.private import Private

CONTENT_TYPE = "application/cloudevents+json"
#: No event comes near: identity, stay and a document's header.
_BYTES_AT_MOST = 256 * 1024


class Event(Private, frozen=True, kw_only=True):
    """One normalised event. Raises InvalidEventError when it is built wrong."""

    id: str
    #: ``<thing>.<past participle>``, a row of events/types.
    type: str
    #: The patient's opaque id.
    subject: str
    #: The establishment: ``urn:finess:400011177``.
    source: str
    #: When it happened in the ward.
    time: datetime
    #: When the hub recorded it.
    recorded_at: datetime
    data: EventData
    #: Revision of the stay, patient or document after it.
    revision: int
    #: Id of the event that this one corrects or cancels; empty when none is.
    undoes: str = ""
    #: About something older than the current situation: state changed, nobody need be rung.
    historic: bool = False

    def __post_init__(self) -> None:
        row = TYPES.get(self.type)
        if row is None or row.data is None:
            raise InvalidEventError("type: no event of this type is told")
        if not isinstance(self.data, row.data):
            raise InvalidEventError("data: not what events of this type carry")
        if not (self.id and self.subject and self.source):
            raise InvalidEventError("id, subject and source: none may be empty")
        if self.time.tzinfo is None or self.recorded_at.tzinfo is None:
            raise InvalidEventError("time and recorded_at: every time carries its offset")
        if not 0 <= self.revision < 2**31:
            raise InvalidEventError("revision: a CloudEvents integer has 32 bits")


class Attributes(Private, frozen=True, kw_only=True, omit_defaults=True):
    """The attributes of CloudEvents 1.0 §2 with this hub's extensions; extension names are lower-case alphanumeric (§3.1)."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"]
    recordedtime: datetime
    revision: int
    undoes: str = ""
    historic: bool = False
    lane: str = ""
    laneseq: int | None = None
    #: Told because the patient was enrolled since: older than what else is told now.
    catchup: bool = False


class Envelope(Attributes, frozen=True, kw_only=True, omit_defaults=True):
    """An event on the wire."""

    data: EventData


_ENCODER = msgspec.json.Encoder()


class _Received(Attributes, frozen=True, kw_only=True):
    data: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Received)
_DATA_DECODERS = {name: msgspec.json.Decoder(row.data) for name, row in TYPES.items() if row.data is not None}
_PLACE = re.compile(r"at `(\$[^`]*)`")


def to_cloudevent_json(event: Event, *, lane_seq: int | None, lane: str = "", catch_up: bool = False) -> bytes:
    """The event as one JSON object; ``lane`` and ``lane_seq`` are those of the delivery that carries it.

    ``catch_up`` marks what is told to somebody who did not follow the patient when it happened.
    """
    return _ENCODER.encode(
        Envelope(
            specversion="1.0",
            id=event.id,
            source=event.source,
            type=CLOUD_TYPES[event.type],
            subject=event.subject,
            time=event.time,
            datacontenttype="application/json",
            recordedtime=event.recorded_at,
            revision=event.revision,
            undoes=event.undoes,
            historic=event.historic,
            lane=lane,
            laneseq=lane_seq,
            catchup=catch_up,
            data=event.data,
        )
    )


def from_cloudevent_json(body: bytes) -> Event:
    """The event that to_cloudevent_json wrote. Raises InvalidEventError, which says where and holds no value."""
    if len(body) > _BYTES_AT_MOST:
        raise InvalidEventError(f"event: larger than {_BYTES_AT_MOST} bytes")
    try:
        received = _DECODER.decode(body)
        name = NAMES.get(received.type, "")
        decoder = _DATA_DECODERS.get(name)
        if decoder is None:
            raise InvalidEventError("type: no event of this type is told")
        data = decoder.decode(received.data)
    except InvalidEventError:
        raise
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        place = _PLACE.search(str(error))
        raise InvalidEventError(f"event: not valid at {place.group(1) if place else '$'}") from None
    return Event(
        id=received.id,
        type=name,
        subject=received.subject,
        source=received.source,
        time=received.time,
        recorded_at=received.recordedtime,
        data=data,
        revision=received.revision,
        undoes=received.undoes,
        historic=received.historic,
    )
