"""Parcels of events: the CloudEvents envelope of one delivery. The event itself is stored once and referred to."""

from __future__ import annotations

from collections import OrderedDict

from liaison.events.envelope import CONTENT_TYPE, Event, from_cloudevent_json, to_cloudevent_json
from liaison.hub.claims import Claimed, Withheld
from liaison.hub.contracts import Parcel
from liaison.hub.journal.queries import JournalReader, event_id
from liaison.hub.journal.records import text_id
from liaison.rules.decision import Owner


class EventShelf:
    """Events just made, so that their deliveries need not read them back. Bounded by count; the journal has them all."""

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
        number = event_id(delivery.message, delivery.ordinal)
        event = self._shelf.get(number)
        if event is None:
            body = self._reader.event_body(delivery.message, delivery.ordinal)
            if body is None:
                return Withheld(reason="L'événement n'est plus dans le journal.", rule="dispatch.event-missing", owner=Owner.GCS)
            event = from_cloudevent_json(body)
        lane = lane_name(delivery.destination, delivery.patient)
        return Parcel(
            id=number,
            kind=delivery.kind,
            body=to_cloudevent_json(event, lane_seq=delivery.lane_seq, lane=lane),
            content_type=CONTENT_TYPE,
            lane=lane,
            lane_seq=delivery.lane_seq or 0,
        )


def lane_name(destination: str, patient: int) -> str:
    """How a lane is called outside: opaque, the same for every delivery of one patient to one destination."""
    return f"{destination}/{text_id(patient)}"
