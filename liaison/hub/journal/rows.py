"""Records to rows and back: the one place where states are encoded and sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Table

from liaison.care.document import Document
from liaison.care.facts import Fact
from liaison.care.patient import Patient
from liaison.care.stay import Stay
from liaison.hub.journal import schema
from liaison.hub.journal.records import (
    AlertRecord,
    AttemptRecord,
    AuditRecord,
    DeliveryRecord,
    DocumentRecord,
    Enrolment,
    EventRecord,
    EventRefs,
    FollowRecord,
    FollowStatus,
    HoldRecord,
    IdentifierRecord,
    LaneRecord,
    MessageRecord,
    ParcelRecord,
    PatientRecord,
    ProposalRecord,
    ProposalState,
    ReceiptRecord,
    Record,
    SeenRecord,
    StayRecord,
    SwitchRecord,
    day_of,
    from_microseconds,
    number_id,
    text_id,
)
from liaison.hub.states import Work
from liaison.hub.vault.sealing import SubjectKey, Vault
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys
from liaison.hub.watch.calendar import Hour
from liaison.rules.gates.followed import Followed

Row: TypeAlias = tuple[Any, ...]

#: A message's bytes longer than this go to the blob table.
BLOB_FROM = 16_384

_encode = msgspec.msgpack.Encoder().encode
# What a state stands beside may be missing in rows of earlier versions.
_patient = msgspec.msgpack.Decoder(Patient | tuple[Patient, EventRefs, tuple[Followed, ...], str]).decode
_stay = msgspec.msgpack.Decoder(Stay | tuple[Stay, EventRefs]).decode
_Mailed: TypeAlias = tuple[tuple[bytes, str], ...]
_document = msgspec.msgpack.Decoder(tuple[Document, _Mailed, EventRefs]).decode
_document_before = msgspec.msgpack.Decoder(tuple[Document, _Mailed]).decode
_enrolment = msgspec.msgpack.Decoder(Enrolment).decode
_facts = msgspec.msgpack.Decoder(tuple[Fact, ...]).decode


def place(table: str, row: object, column: str) -> bytes:
    """Where a sealed object belongs: it opens nowhere else."""
    return f"{table}|{row}|{column}".encode()


class Sealer:
    """Turns records into rows, sealing as it goes. Owned by the writer."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys = keys
        self._rows: dict[type[Any], Callable[[Any], Iterable[tuple[Table, Row]]]] = {
            MessageRecord: self._message,
            SeenRecord: lambda r: ((schema.seen, (r.name, r.digest, r.message)),),
            IdentifierRecord: lambda r: ((schema.identifier, (r.blind, r.target, r.id)),),
            PatientRecord: self._patient,
            StayRecord: self._stay,
            DocumentRecord: self._document,
            EventRecord: self._event,
            LaneRecord: lambda r: ((schema.lane, (r.patient, r.destination, r.head, r.last, r.due)),),
            DeliveryRecord: self._delivery,
            AttemptRecord: lambda r: ((schema.attempt, (day_of(r.delivery), r.delivery, r.number, r.at, r.outcome, r.reason)),),
            ReceiptRecord: lambda r: ((schema.receipt, (day_of(r.delivery), r.delivery, r.number, r.at, r.status, r.code)),),
            ParcelRecord: self._parcel,
            FollowRecord: self._follow,
            HoldRecord: self._hold,
            Hour: lambda r: ((schema.traffic, (r.source, r.hour, r.messages, r.longest, r.quiet)),),
            AlertRecord: lambda r: (
                (
                    schema.alert,
                    (r.kind, r.about, r.since, r.step, r.told_step, r.told_at, r.calm_since, r.ended_at, r.end_told_at),
                ),
            ),
            ProposalRecord: self._proposal,
            SwitchRecord: lambda r: ((schema.switch, (r.name, r.since)),),
            AuditRecord: self._audit,
        }

    def rows(self, record: Record) -> Iterable[tuple[Table, Row]]:
        """The rows of one record."""
        return self._rows[type(record)](record)

    def _key(self, subject: str) -> SubjectKey:
        return self._keys.get_or_make(subject)

    def _message(self, r: MessageRecord) -> Iterable[tuple[Table, Row]]:
        key, day = self._key(r.subject), day_of(r.id)
        raw = None
        if r.size > BLOB_FROM:
            yield schema.blob, (day, r.id, Vault.seal_packed(key, place("blob", r.id, "body"), r.raw))
        else:
            raw = Vault.seal_packed(key, place("message", r.id, "raw"), r.raw)
        decisions = None if r.decisions is None else Vault.seal(key, place("message", r.id, "decisions"), r.decisions)
        yield (
            schema.message,
            (
                day,
                r.id,
                r.source,
                r.control_id,
                r.kind,
                r.verdict,
                r.received_at,
                r.subject,
                r.size,
                raw,
                r.reply,
                r.findings,
                decisions,
                r.mode or None,
            ),
        )

    def _patient(self, r: PatientRecord) -> Iterable[tuple[Table, Row]]:
        sealed = Vault.seal(
            self._key(text_id(r.id)), place("patient", r.id, "state"), _encode((r.state, r.events, r.follows, r.contested))
        )
        yield schema.patient, (r.id, r.state.revision, sealed)

    def _stay(self, r: StayRecord) -> Iterable[tuple[Table, Row]]:
        sealed = Vault.seal(self._key(text_id(r.patient)), place("stay", r.id, "state"), _encode((r.state, r.events)))
        yield schema.stay, (r.id, r.patient, r.state.revision, sealed)

    def _document(self, r: DocumentRecord) -> Iterable[tuple[Table, Row]]:
        sealed = Vault.seal(self._key(text_id(r.patient)), place("document", r.id, "state"), _encode((r.state, r.mailed, r.events)))
        yield schema.document, (r.id, r.patient, r.message, str(r.state.status), sealed)

    def _event(self, r: EventRecord) -> Iterable[tuple[Table, Row]]:
        sealed = Vault.seal(self._key(text_id(r.patient)), place("event", f"{r.message}-{r.ordinal}", "body"), r.body)
        yield schema.event, (day_of(r.message), r.message, r.ordinal, r.type, r.patient, r.at, sealed)

    def _delivery(self, r: DeliveryRecord) -> Iterable[tuple[Table, Row]]:
        recipient = None
        # Whom an erased person's letter would have gone to is forgotten with them, when its delivery is ended.
        if r.recipient and not self._keys.is_erased(text_id(r.patient)):
            recipient = Vault.seal(self._key(text_id(r.patient)), place("delivery", r.id, "recipient"), r.recipient.encode())
        after = None if r.after is None else f"{r.after[0]}/{r.after[1]}/{r.after[2]}"
        yield (
            schema.delivery,
            (
                day_of(r.id),
                r.id,
                r.destination,
                r.patient,
                r.lane_seq,
                r.message,
                r.ordinal,
                r.document,
                int(r.withdraws),
                str(r.work),
                r.epoch,
                r.attempts,
                r.due,
                r.created_at,
                r.token,
                r.kind,
                after,
                r.source,
                r.rule,
                r.previous or None,
                recipient,
            ),
        )

    def _follow(self, r: FollowRecord) -> Iterable[tuple[Table, Row]]:
        sealed = None
        if r.state is not None:
            sealed = Vault.seal(self._key(r.subject), place("follow", f"{r.list}-{r.blind.hex()}", "state"), _encode(r.state))
        patients = " ".join(map(text_id, r.patients))
        yield schema.follow, (r.blind, r.list, str(r.status), r.since, r.until, r.due, patients, r.subject, sealed)

    def _parcel(self, r: ParcelRecord) -> Iterable[tuple[Table, Row]]:
        if r.body is not None:
            sealed = Vault.seal(self._key(text_id(r.patient)), place("parcel", r.delivery, "body"), r.body)
            yield schema.parcel, (day_of(r.delivery), r.delivery, sealed)

    def _proposal(self, r: ProposalRecord) -> Iterable[tuple[Table, Row]]:
        sealed = Vault.seal(self._key(r.subject), place("proposal", r.id, "facts"), _encode(r.facts))
        clear = (r.source, r.establishment, r.kind, r.message, str(r.state), r.since, r.decided_at, r.subject)
        yield schema.proposal, (r.id, r.blind, *clear, sealed)

    @staticmethod
    def _hold(r: HoldRecord) -> Iterable[tuple[Table, Row]]:
        decided = (r.released_at, r.outcome or None, r.escalated_at, r.successor)
        return ((schema.hold, (r.id, r.message, r.delivery, r.owner, r.rule, r.reason, r.since, *decided)),)

    def _audit(self, r: AuditRecord) -> Iterable[tuple[Table, Row]]:
        sealed = Vault.seal(self._key(audit_subject(r.at)), place("audit", r.id, "reason"), r.reason.encode())
        yield schema.audit, (r.id, r.at, r.operator, r.act, r.target, r.outcome, sealed)


def audit_subject(at: int) -> str:
    """Whose key seals the reasons of a month's acts: an operator may have written anything there."""
    return f"audit:{from_microseconds(at):%Y-%m}"


#: Tables whose rows have a state: a row of the same key is overwritten. The others only grow.
REPLACED = frozenset(
    {
        schema.patient,
        schema.stay,
        schema.document,
        schema.lane,
        schema.delivery,
        schema.identifier,
        schema.seen,
        schema.hold,
        schema.switch,
        schema.audit,
        schema.follow,
        schema.proposal,
        schema.traffic,
        schema.alert,
    }
)


def hold_of(row: Row) -> HoldRecord:
    """From the whole row of the table."""
    number, message, delivery, owner, rule, reason, since, released_at, outcome, escalated_at, successor = row
    return HoldRecord(
        id=number,
        message=message,
        delivery=delivery,
        owner=owner,
        rule=rule,
        reason=reason,
        since=since,
        released_at=released_at,
        outcome=outcome or "",
        escalated_at=escalated_at,
        successor=successor,
    )


class Opener:
    """Turns rows back into records. One for the writer, one for each reader."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys = keys

    def patient(self, row: Row) -> PatientRecord:
        """From (id, state)."""
        number, sealed = row
        plain = Vault.open(self._keys.get(text_id(number)), place("patient", number, "state"), sealed)
        kept = _patient(plain)
        if isinstance(kept, Patient):
            return PatientRecord(id=number, state=kept)
        state, events, follows, contested = kept
        return PatientRecord(id=number, state=state, events=events, follows=follows, contested=contested)

    def stay(self, row: Row) -> StayRecord:
        """From (id, patient, state)."""
        number, patient, sealed = row
        plain = Vault.open(self._keys.get(text_id(patient)), place("stay", number, "state"), sealed)
        kept = _stay(plain)
        state, events = (kept, ()) if isinstance(kept, Stay) else kept
        return StayRecord(id=number, patient=patient, state=state, events=events)

    def document(self, row: Row) -> DocumentRecord:
        """From (id, patient, message, state)."""
        number, patient, message, sealed = row
        plain = Vault.open(self._keys.get(text_id(patient)), place("document", number, "state"), sealed)
        state, mailed, events = _document(plain) if plain[:1] == b"\x93" else (*_document_before(plain), ())
        return DocumentRecord(id=number, patient=patient, message=message, state=state, mailed=mailed, events=events)

    def follow(self, row: Row) -> FollowRecord:
        """From the whole row of the table."""
        blind, name, status, since, until, due, patients, subject, sealed = row
        state: Enrolment | None = None
        if sealed is not None:
            with suppress(SubjectErased):
                state = _enrolment(Vault.open(self._keys.get(subject), place("follow", f"{name}-{blind.hex()}", "state"), sealed))
        return FollowRecord(
            list=name,
            blind=blind,
            status=FollowStatus(status),
            since=since,
            until=until,
            due=due,
            patients=tuple(number_id(one) for one in patients.split()),
            subject=subject,
            state=state,
        )

    def delivery(self, row: Row) -> DeliveryRecord:
        """From the whole row of the table."""
        _day, number, destination, patient, seq, message, ordinal, document, withdraws, work, *rest = row
        epoch, attempts, due, created, token, kind, after, source, rule, previous, sealed = rest
        recipient = ""
        # An erased person's delivery has no recipient any more, and never leaves: its patient is not there.
        if sealed is not None and self._keys.has(subject := text_id(patient)):
            recipient = Vault.open(self._keys.get(subject), place("delivery", number, "recipient"), sealed).decode()
        barrier: tuple[str, int, int] | None = None
        if after is not None:
            name, other, last = after.rsplit("/", 2)
            barrier = (name, int(other), int(last))
        return DeliveryRecord(
            id=number,
            destination=destination,
            patient=patient,
            lane_seq=seq,
            message=message,
            ordinal=ordinal,
            document=document,
            withdraws=bool(withdraws),
            work=Work(work),
            epoch=epoch,
            attempts=attempts,
            due=due,
            created_at=created,
            token=token,
            kind=kind,
            after=barrier,
            source=source,
            rule=rule,
            previous=previous or "",
            recipient=recipient,
        )

    def event(self, message: int, ordinal: int, patient: int, sealed: bytes) -> bytes:
        """The encoding of an event."""
        return Vault.open(self._keys.get(text_id(patient)), place("event", f"{message}-{ordinal}", "body"), sealed)

    def message(self, number: int, subject: str, raw: bytes | None, blob: bytes | None) -> bytes:
        """The bytes of a message, from whichever table has them."""
        if raw is not None:
            return Vault.open(self._keys.get(subject), place("message", number, "raw"), raw)
        if blob is None:
            return b""
        return Vault.open(self._keys.get(subject), place("blob", number, "body"), blob)

    def decisions(self, number: int, subject: str, sealed: bytes) -> bytes:
        """The JSON of a message's decisions."""
        return Vault.open(self._keys.get(subject), place("message", number, "decisions"), sealed)

    def parcel(self, delivery: int, patient: int, sealed: bytes) -> bytes:
        """A letter as it was rendered."""
        return Vault.open(self._keys.get(text_id(patient)), place("parcel", delivery, "body"), sealed)

    def proposal(self, row: Row) -> ProposalRecord:
        """From the whole row of the table. Raises SubjectErased when its patient was."""
        number, blind, source, establishment, kind, message, state, since, decided_at, subject, sealed = row
        plain = Vault.open(self._keys.get(subject), place("proposal", number, "facts"), sealed)
        return ProposalRecord(
            id=number,
            blind=blind,
            source=source,
            establishment=establishment,
            kind=kind,
            message=message,
            state=ProposalState(state),
            since=since,
            decided_at=decided_at,
            subject=subject,
            facts=_facts(plain),
        )

    def audit(self, row: Row) -> AuditRecord:
        """From the whole row of the table; the reason is empty once the key of its month is destroyed."""
        number, at, operator, act, target, outcome, sealed = row
        try:
            reason = Vault.open(self._keys.get(audit_subject(at)), place("audit", number, "reason"), sealed).decode()
        except SubjectErased:
            reason = ""
        return AuditRecord(id=number, at=at, operator=operator, act=act, target=target, outcome=outcome, reason=reason)
