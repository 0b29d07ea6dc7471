"""What the journal keeps, as frozen values: what commands read and what they decide to record.

Ids are numbers here and sixteen hexadecimal digits outside. A record that grows the journal (message, event, attempt…) is appended;
one that has a state (patient, stay, lane, delivery…) replaces its predecessor under the same key.
"""

from __future__ import annotations

import enum
import functools
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from liaison.care.document import Document
from liaison.care.facts import Fact
from liaison.care.patient import Patient
from liaison.care.stay import Stay
from liaison.hub.states import Work
from liaison.hub.watch.calendar import Hour
from liaison.private import Private
from liaison.rules.gates.followed import Followed

#: The table's name first, then what finds the record in it.
Key: TypeAlias = tuple[str, object] | tuple[str, object, object] | tuple[str, object, object, object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Bits of an id below its millisecond.
_COUNTER_BITS = 20


def microseconds(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(value: int) -> datetime:
    """The aware UTC datetime of a number of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


def first_id_at(at: datetime) -> int:
    """The smallest id of that millisecond."""
    return (microseconds(at) // 1000) << _COUNTER_BITS


def id_microseconds(number: int) -> int:
    """The millisecond in which an id was given, in microseconds since 1970."""
    return (number >> _COUNTER_BITS) * 1000


def day_of(number: int) -> int:
    """The UTC day (YYYYMMDD) in which an id was given."""
    milliseconds = number >> _COUNTER_BITS
    days = milliseconds // 86_400_000
    if (day := _days.get(days)) is None:
        at = _EPOCH + timedelta(days=days)
        day = _days[days] = at.year * 10_000 + at.month * 100 + at.day
        if len(_days) > 5_000:
            _days.clear()
    return day


_days: dict[int, int] = {}


@functools.lru_cache(maxsize=1_024)
def text_id(number: int) -> str:
    """How an id is written outside the journal."""
    return f"{number:016x}"


def number_id(text: str) -> int:
    """The number of a written id. Raises ValueError when it is not one."""
    return int(text, 16)


class MessageRecord(Private, frozen=True, kw_only=True):
    """A message taken, with its reply."""

    id: int
    source: str
    control_id: str
    kind: str
    verdict: str
    received_at: int
    subject: str
    size: int
    #: Packed by the vault, sealed by the writer.
    raw: bytes
    reply: bytes
    #: JSON.
    findings: bytes
    decisions: bytes | None = None
    #: Of its source when it was taken: ``load`` or ``shadow``; empty when live.
    mode: str = ""


class MessageHead(Private, frozen=True, kw_only=True):
    """What a resend of a message is answered with."""

    id: int
    verdict: str
    reply: bytes


class SeenRecord(Private, frozen=True, kw_only=True):
    """One content met under a name (source, MSH-3/4/10)."""

    name: str
    digest: bytes
    message: int


class SeenDropped(Private, frozen=True, kw_only=True):
    """The oldest content of a name, forgotten so that a constant control id does not grow without end."""

    name: str
    digest: bytes


class IdentifierRecord(Private, frozen=True, kw_only=True):
    """Where a blind index leads: ``patient``, ``stay`` or ``document``, and its id."""

    blind: bytes
    target: str
    id: int


#: Events by message and rank, in the order in which they were made.
EventRefs: TypeAlias = tuple[tuple[int, int], ...]
#: How many of the newest events each state remembers, for those who are enrolled later.
EVENTS_KEPT: Final = 64


class PatientRecord(Private, frozen=True, kw_only=True):
    """A patient's state."""

    id: int
    state: Patient
    #: The events about their identity.
    events: EventRefs = ()
    #: The lists that they are enrolled in.
    follows: tuple[Followed, ...] = ()
    #: Matricule of theirs that another patient of the establishment claims as well.
    contested: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its own number, and those of the records that were merged into it: what they have is still under theirs."""
        return (self.id, *map(number_id, self.state.absorbed))


class StayRecord(Private, frozen=True, kw_only=True):
    """A stay's state, its movements included."""

    id: int
    patient: int
    state: Stay
    #: The events about it.
    events: EventRefs = ()


class DocumentRecord(Private, frozen=True, kw_only=True):
    """A document's state, and the message that holds its bytes."""

    id: int
    patient: int
    message: int
    state: Document
    #: Whom it was given to, as a blind index of action, destination and recipient, and the token of the delivery that did it.
    mailed: tuple[tuple[bytes, str], ...] = ()
    #: The events about it.
    events: EventRefs = ()


class EventRecord(Private, frozen=True, kw_only=True):
    """A normalised event; ``body`` is its encoding."""

    message: int
    ordinal: int
    type: str
    patient: int
    at: int
    body: bytes


class LaneRecord(Private, frozen=True, kw_only=True):
    """A lane: ``head`` is the number of its oldest open delivery, ``last`` the highest given; idle when head > last."""

    destination: str
    patient: int
    head: int = 1
    last: int = 0
    due: int | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing waits in it."""
        return self.head > self.last


class DeliveryRecord(Private, frozen=True, kw_only=True):
    """One thing to bring to one destination."""

    id: int
    destination: str
    patient: int
    #: None while held: it takes its place in the lane when it is released.
    lane_seq: int | None
    message: int
    ordinal: int
    document: int | None = None
    #: Whether the mail announces that the document was withdrawn, and does not carry it.
    withdraws: bool = False
    work: Work
    epoch: int = 0
    attempts: int = 0
    due: int
    created_at: int
    #: Unguessable: what the outside world knows this delivery by.
    token: str
    #: Event or document type.
    kind: str
    #: ``destination/patient/seq`` of an absorbed lane that must drain first (a merge is a barrier).
    after: tuple[str, int, int] | None = None
    #: Source of the message, and the rule by which it leaves.
    source: str = ""
    rule: str = ""
    #: Token of the mail that told this recipient of what this one replaces or withdraws.
    previous: str = ""
    recipient: str = ""


class AttemptRecord(Private, frozen=True, kw_only=True):
    """One attempt and what came of it."""

    delivery: int
    number: int
    at: int
    outcome: str
    reason: str


class ReceiptRecord(Private, frozen=True, kw_only=True):
    """Something that became of a delivery."""

    delivery: int
    number: int
    at: int
    status: str
    code: str = ""


class ParcelRecord(Private, frozen=True, kw_only=True):
    """A letter rendered; ``body`` None drops it."""

    delivery: int
    patient: int
    body: bytes | None


class HoldRecord(Private, frozen=True, kw_only=True):
    """Something waits for a person."""

    id: int
    message: int
    delivery: int | None
    owner: str
    rule: str
    reason: str
    since: int
    #: When a person decided; None until then.
    released_at: int | None = None
    #: What they decided: released, retried, rejected, cancelled, received, replayed.
    outcome: str = ""
    #: When it went from the hospital to the GCS, because nobody had decided in time.
    escalated_at: int | None = None
    #: The message that a replay made of the one held.
    successor: int | None = None


class MessageMoved(Private, frozen=True, kw_only=True):
    """The bytes of a message are those of a newer row now, sealed for whom they are about: they are kept once."""

    message: int


class ProposalState(enum.StrEnum):
    """Where a proposal stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class ProposalHead(Private, frozen=True, kw_only=True):
    """What is known of an assertion that was proposed."""

    id: int
    state: ProposalState


class ProposalRecord(Private, frozen=True, kw_only=True):
    """What a source asserted of another hospital's patient, until a person decides."""

    id: int
    #: By what the same assertion is known when it comes again.
    blind: bytes
    source: str
    #: FINESS of the establishment that asserts.
    establishment: str
    kind: str
    #: The message that asserted it first.
    message: int
    state: ProposalState = ProposalState.OPEN
    since: int
    decided_at: int | None = None
    #: Whose key seals it.
    subject: str
    facts: tuple[Fact, ...]


class SwitchRecord(Private, frozen=True, kw_only=True):
    """Something that a person stopped, by its name in ``hub/switches.py``; ``since`` None: it goes on."""

    name: str
    since: int | None


class AuditRecord(Private, frozen=True, kw_only=True):
    """What an operator asked for, and what came of it."""

    id: int
    at: int
    operator: str
    act: str
    #: An id of the hub's or a name of the configuration; empty when the act is about no single thing.
    target: str
    outcome: str
    reason: str


class FollowStatus(enum.StrEnum):
    """Where an enrolment is."""

    WAITING = "waiting"  #: no patient is known by its identifier yet
    ACTIVE = "active"
    DISPUTED = "disputed"  #: it is not sure whom it means: what there is to tell is held
    LEFT = "left"  #: over; kept so that a repeated call has no second effect


class Enrolment(Private, frozen=True, kw_only=True, omit_defaults=True):
    """What the list says of one enrolment, sealed. Empty once it is over."""

    #: ``ins`` or ``ipp``; for an IPP its establishment (FINESS) and canonical authority.
    kind: str = ""
    value: str = ""
    establishment: str = ""
    authority: str = ""
    #: YYYYMMDD, to compare with the patient's; empty when the list does not say.
    birth_date: str = ""
    #: Who enrolled them.
    by: str = ""
    #: Keys of the calls that made it what it is, newest last: a call that is repeated has no second effect.
    keys: tuple[str, ...] = ()


class FollowRecord(Private, frozen=True, kw_only=True):
    """One enrolment: an identifier in a list, and the patients that it was found to mean."""

    list: str
    blind: bytes
    status: FollowStatus
    #: Microseconds since 1970.
    since: int
    until: int | None = None
    #: When something is to be done for it; None while nothing is.
    due: int | None = None
    patients: tuple[int, ...] = ()
    #: Whose key seals ``state``: the first patient's, or that of the month's enrolments that nobody is known by yet.
    subject: str
    #: None when that key was destroyed.
    state: Enrolment | None


class EventLine(Private, frozen=True, kw_only=True):
    """What deciding about an event again needs to know of it."""

    type: str
    source: str


class Removed(Private, frozen=True, kw_only=True):
    """Rows that are no longer kept: those of a table whose key begins so."""

    table: str
    key: tuple[object, ...]


class Cleared(Private, frozen=True, kw_only=True):
    """A column of one row that is no longer kept."""

    table: str
    key: tuple[object, ...]
    column: str


class KeysDestroyed(Private, frozen=True, kw_only=True):
    """Subject keys to destroy: what was sealed under them opens nowhere any more."""

    subjects: tuple[str, ...]
    #: ISO 8601, UTC.
    at: str
    #: An erasure, which a restored backup must not undo; otherwise they only grew too old.
    in_ledger: bool


class MarkRecord(Private, frozen=True, kw_only=True):
    """Something that the hub remembers of itself: how far retention came, whether a sweep is due. None forgets it."""

    name: str
    value: bytes | None


class TrafficForgotten(Private, frozen=True, kw_only=True):
    """What sources sent long ago teaches nothing any more; ``before`` in hours since 1970."""

    before: int


class AlertRecord(Private, frozen=True, kw_only=True):
    """Something was wrong: since when, and what was told of it. Times in microseconds; nothing in it names a person."""

    kind: str
    #: The source, destination, owner, part or file that it is about.
    about: str
    since: int
    #: Counts up where the same trouble is told again as it gets worse; ``told_step`` is the last that was told.
    step: int = 1
    told_step: int = 0
    told_at: int | None = None
    #: Since when the trouble is not seen any more, while it is not over yet.
    calm_since: int | None = None
    ended_at: int | None = None
    end_told_at: int | None = None


Record: TypeAlias = (
    MessageRecord
    | SeenRecord
    | SeenDropped
    | IdentifierRecord
    | PatientRecord
    | StayRecord
    | DocumentRecord
    | EventRecord
    | LaneRecord
    | DeliveryRecord
    | AttemptRecord
    | ReceiptRecord
    | ParcelRecord
    | HoldRecord
    | ProposalRecord
    | MessageMoved
    | SwitchRecord
    | AuditRecord
    | FollowRecord
    | Removed
    | Cleared
    | KeysDestroyed
    | MarkRecord
    | Hour
    | TrafficForgotten
    | AlertRecord
)
