"""Parcels of events: the CloudEvents envelope of one delivery, or its declaration in FHIR. The event itself is stored once."""

from __future__ import annotations

from collections import OrderedDict

from liaison.events.envelope import CONTENT_TYPE, Event, from_cloudevent_json, to_cloudevent_json
from liaison.fhir.resources import CONTENT_TYPE as FHIR_JSON
from liaison.fhir.resources import to_json
from liaison.hub.claims import Claimed, Needless, Withheld
from liaison.hub.contracts import Parcel
from liaison.hub.journal.queries import JournalReader, event_id
from liaison.hub.journal.records import number_id, text_id
from liaison.mappings.event_to_nde import declaration
from liaison.rules.decision import Owner
from liaison.rules.gates.followed import CATCH_UP


class EventShelf:
    """Events just made, or read back for one of their destinations, so that the others need not. Bounded by count."""

    def __init__(self, most: int = 1_000) -> None:
        self._most = most
        self._events: OrderedDict[str, Event] = OrderedDict()

    def __repr__(self) -> str:
        return f"<EventShelf {len(self._events)}>"

    def put(self, event: Event) -> None:
        """Keep an event at hand."""
        self._events[event.id] = event
        if len(self._events) > self._most:
            self._events.popitem(last=False)

    def get(self, number: str) -> Event | None:
        """The event, if it is still here."""
        return self._events.get(number)


class EventParcels:
    """Makes the parcel of an event's delivery: the same bytes for the same delivery, whenever it is made."""

    def __init__(self, reader: JournalReader, shelf: EventShelf) -> None:
        self._reader = reader
        self._shelf = shelf

    async def make(self, claimed: Claimed) -> Parcel | Withheld:
        """The envelope, with the lane's opaque name and the delivery's number in it."""
        delivery = claimed.delivery
        event = told_event(self._reader, self._shelf, delivery.message, delivery.ordinal)
        if event is None:
            return _MISSING
        lane = lane_name(delivery.destination, delivery.patient)
        return Parcel(
            id=event.id,
            kind=delivery.kind,
            body=to_cloudevent_json(event, lane_seq=delivery.lane_seq, lane=lane, catch_up=delivery.rule == CATCH_UP),
            content_type=CONTENT_TYPE,
            lane=lane,
            lane_seq=delivery.lane_seq or 0,
        )


class DeclarationParcels:
    """Makes the parcel of an event's delivery to a platform that speaks FHIR: a declaration, or the update of an earlier one."""

    def __init__(self, reader: JournalReader, shelf: EventShelf, identifiers: str) -> None:
        self._reader = reader
        self._shelf = shelf
        self._identifiers = identifiers

    async def make(self, claimed: Claimed) -> Parcel | Withheld | Needless:
        """The resource; Needless when the event corrects what was never declared."""
        delivery = claimed.delivery
        event = told_event(self._reader, self._shelf, delivery.message, delivery.ordinal)
        if event is None:
            return _MISSING
        message, _, ordinal = event.undoes.partition("-")
        undone = told_event(self._reader, self._shelf, number_id(message), int(ordinal)) if ordinal else None
        told = declaration(event, undone=undone, system=self._identifiers)
        if told is None:
            return Needless(reason="NdE n'a pas de déclaration pour cet événement")
        return Parcel(
            id=event.id,
            kind=delivery.kind,
            body=to_json(told.resource),
            content_type=FHIR_JSON,
            lane=lane_name(delivery.destination, delivery.patient),
            lane_seq=delivery.lane_seq or 0,
            options={"amends": told.event_id} if told.amends else {},
        )


def told_event(reader: JournalReader, shelf: EventShelf, message: int, ordinal: int) -> Event | None:
    """An event by its place, from the shelf or the journal."""
    if (event := shelf.get(event_id(message, ordinal))) is not None:
        return event
    if (body := reader.event_body(message, ordinal)) is None:
        return None
    event = from_cloudevent_json(body)
    shelf.put(event)
    return event


_MISSING = Withheld(reason="L'événement n'est plus dans le journal.", rule="dispatch.event-missing", owner=Owner.GCS)


def lane_name(destination: str, patient: int) -> str:
    """How a lane is called outside: opaque, the same for every delivery of one patient to one destination."""
    return f"{destination}/{text_id(patient)}"
