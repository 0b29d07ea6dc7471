"""The journal's tables. Each column is marked clear, sealed or blind; docs/journal.md says the same and a test compares them.

Numbers: ids are 63-bit and grow with time, so that rows of one time lie together; ``day`` is the UTC day (YYYYMMDD) of the id and
part of the keys of what grows with traffic, so that a larger engine can partition by it. Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.types import TypeEngine

metadata = MetaData()

#: SQLite only makes the row's own number out of a key that is called INTEGER.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def _clear(name: str, kind: type[TypeEngine[Any]] | TypeEngine[Any], *, key: bool = False, null: bool = False) -> Column[Any]:
    return Column(name, kind, primary_key=key, nullable=null, info={"mark": "clear"}, autoincrement=False)


def _sealed(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, LargeBinary, nullable=null, info={"mark": "sealed"})


def _blind(name: str, *, key: bool = False, null: bool = False) -> Column[Any]:
    return Column(name, LargeBinary, primary_key=key, nullable=null, info={"mark": "blind"})


#: The hub itself: key-check value, incarnation, schema facts.
meta = Table("meta", metadata, _clear("name", String, key=True), _clear("value", LargeBinary))

#: One row a message taken, its bytes and its reply.
message = Table(
    "message",
    metadata,
    _clear("day", Integer, key=True),
    _clear("id", BigInteger, key=True),
    _clear("source", String),
    _clear("control_id", String),
    _clear("kind", String),
    _clear("verdict", String),
    _clear("received_at", BigInteger),
    _clear("subject", String),
    _clear("size", Integer),
    _sealed("raw", null=True),
    _clear("reply", LargeBinary),
    _clear("findings", LargeBinary),
    _sealed("decisions", null=True),
    _clear("mode", String, null=True),
)

#: Messages in which nobody was recognised: an erasure looks into them, and an ordinary message costs nothing here.
Index(
    "message_unassigned",
    message.c.day,
    message.c.id,
    sqlite_where=(message.c.subject >= "source:") & (message.c.subject < "source;"),
)

#: Bytes of large messages, kept out of the table that is listed and counted.
blob = Table("blob", metadata, _clear("day", Integer, key=True), _clear("id", BigInteger, key=True), _sealed("body"))

#: What was taken already: source, MSH-3/4/10 and a keyed digest of the content.
seen = Table(
    "seen",
    metadata,
    _clear("name", String, key=True),
    _blind("digest", key=True),
    _clear("message", BigInteger),
    sqlite_with_rowid=False,
)

patient = Table(
    "patient",
    metadata,
    _clear("id", _NUMBER, key=True),
    _clear("revision", Integer),
    _sealed("state"),
)

#: Blind index of identifiers: to a patient, a stay or a document.
identifier = Table(
    "identifier",
    metadata,
    _blind("blind", key=True),
    _clear("target", String),
    _clear("id", BigInteger),
    sqlite_with_rowid=False,
)

stay = Table(
    "stay",
    metadata,
    _clear("id", _NUMBER, key=True),
    _clear("patient", BigInteger),
    _clear("revision", Integer),
    _sealed("state"),
)
Index("stay_patient", stay.c.patient)

document = Table(
    "document",
    metadata,
    _clear("id", _NUMBER, key=True),
    _clear("patient", BigInteger),
    _clear("message", BigInteger),
    _clear("status", String),
    _sealed("state"),
)
Index("document_patient", document.c.patient)

event = Table(
    "event",
    metadata,
    _clear("day", Integer, key=True),
    _clear("message", BigInteger, key=True),
    _clear("ordinal", Integer, key=True),
    _clear("type", String),
    _clear("patient", BigInteger),
    _clear("at", BigInteger),
    _sealed("body"),
)

#: Deliveries to one destination for one patient, in order. ``due`` is set while its head waits to be claimed.
lane = Table(
    "lane",
    metadata,
    _clear("patient", BigInteger, key=True),
    _clear("destination", String, key=True),
    _clear("head", Integer),
    _clear("last", Integer),
    _clear("due", BigInteger, null=True),
    sqlite_with_rowid=False,
)
Index("lane_due", lane.c.destination, lane.c.due, sqlite_where=lane.c.due.is_not(None))

delivery = Table(
    "delivery",
    metadata,
    _clear("day", Integer, key=True),
    _clear("id", BigInteger, key=True),
    _clear("destination", String),
    _clear("patient", BigInteger),
    _clear("lane_seq", Integer, null=True),
    _clear("message", BigInteger),
    _clear("ordinal", Integer),
    _clear("document", BigInteger, null=True),
    _clear("withdraws", Integer),
    _clear("work", String),
    _clear("epoch", Integer),
    _clear("attempts", Integer),
    _clear("due", BigInteger),
    _clear("created_at", BigInteger),
    _clear("token", String),
    _clear("kind", String),
    _clear("after", Text, null=True),
    _clear("source", String),
    _clear("rule", String),
    _clear("previous", String, null=True),
    _sealed("recipient", null=True),
    sqlite_with_rowid=False,
)
Index("delivery_lane", delivery.c.patient, delivery.c.destination, delivery.c.lane_seq, unique=True)

#: What was tried. The last column holds the peer's code and a reason without identity.
attempt = Table(
    "attempt",
    metadata,
    _clear("day", Integer, key=True),
    _clear("delivery", BigInteger, key=True),
    _clear("number", Integer, key=True),
    _clear("at", BigInteger),
    _clear("outcome", String),
    _clear("reason", String),
    sqlite_with_rowid=False,
)

#: What became of a delivery after it left: append-only.
receipt = Table(
    "receipt",
    metadata,
    _clear("day", Integer, key=True),
    _clear("delivery", BigInteger, key=True),
    _clear("number", Integer, key=True),
    _clear("at", BigInteger),
    _clear("status", String),
    _clear("code", String),
    sqlite_with_rowid=False,
)

#: A letter as it is sent, rendered once; dropped at the delivery's end.
parcel = Table(
    "parcel",
    metadata,
    _clear("day", Integer, key=True),
    _clear("delivery", BigInteger, key=True),
    _sealed("body"),
)

#: What each source sent in each hour: its usual calendar is learned from it.
traffic = Table(
    "traffic",
    metadata,
    _clear("source", String, key=True),
    _clear("hour", Integer, key=True),
    _clear("messages", Integer),
    _clear("longest", Integer),
    _clear("quiet", Integer),
    sqlite_with_rowid=False,
)

#: What went wrong with the hub itself, and what was told of it: once at the start, once at the end, over any restart.
alert = Table(
    "alert",
    metadata,
    _clear("kind", String, key=True),
    _clear("about", String, key=True),
    _clear("since", BigInteger, key=True),
    _clear("step", Integer),
    _clear("told_step", Integer),
    _clear("told_at", BigInteger, null=True),
    _clear("calm_since", BigInteger, null=True),
    _clear("ended_at", BigInteger, null=True),
    _clear("end_told_at", BigInteger, null=True),
    sqlite_with_rowid=False,
)

#: What waits for a person: a delivery, or a whole message in quarantine.
hold = Table(
    "hold",
    metadata,
    _clear("id", _NUMBER, key=True),
    _clear("message", BigInteger),
    _clear("delivery", BigInteger, null=True),
    _clear("owner", String),
    _clear("rule", String),
    _clear("reason", String),
    _clear("since", BigInteger),
    _clear("released_at", BigInteger, null=True),
    _clear("outcome", String, null=True),
    _clear("escalated_at", BigInteger, null=True),
    _clear("successor", BigInteger, null=True),
)
Index("hold_open", hold.c.delivery, sqlite_where=hold.c.released_at.is_(None))

#: What a person stopped; ``since`` is null once it goes on.
switch = Table(
    "switch",
    metadata,
    _clear("name", String, key=True),
    _clear("since", BigInteger, null=True),
    sqlite_with_rowid=False,
)

#: Every act of an operator: written before it takes effect, its outcome when it ends.
audit = Table(
    "audit",
    metadata,
    _clear("id", _NUMBER, key=True),
    _clear("at", BigInteger),
    _clear("operator", String),
    _clear("act", String),
    _clear("target", String),
    _clear("outcome", String),
    _sealed("reason"),
)


#: Who is enrolled in which list, under the blind index of the identifier that the list names. ``due`` is set while something is to
#: be done for it: tell what is known, end it, cancel what waits.
follow = Table(
    "follow",
    metadata,
    _blind("blind", key=True),
    _clear("list", String, key=True),
    _clear("status", String),
    _clear("since", BigInteger),
    _clear("until", BigInteger, null=True),
    _clear("due", BigInteger, null=True),
    _clear("patients", String),
    _clear("subject", String),
    _sealed("state", null=True),
    sqlite_with_rowid=False,
)
Index("follow_due", follow.c.due, sqlite_where=follow.c.due.is_not(None))

#: What a source asserted of another hospital's patient; ``blind`` knows the same assertion when it comes again.
proposal = Table(
    "proposal",
    metadata,
    _clear("id", _NUMBER, key=True),
    _blind("blind"),
    _clear("source", String),
    _clear("establishment", String),
    _clear("kind", String),
    _clear("message", BigInteger),
    _clear("state", String),
    _clear("since", BigInteger),
    _clear("decided_at", BigInteger, null=True),
    _clear("subject", String),
    _sealed("facts"),
)
Index("proposal_blind", proposal.c.blind, unique=True)
