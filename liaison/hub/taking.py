"""Taking: one message's facts folded into the state, and the difference told. One run of the intake command's decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from liaison.care.changes import Change, remember, told_event_id
from liaison.care.document import Document, completed_by_stay, document_changes, fold_document
from liaison.care.facts import (
    DocumentAction,
    DocumentFact,
    Fact,
    IdentityAction,
    IdentityFact,
    MovementFact,
    ReattributionFact,
    ReceiptFact,
)
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.movement import TooManyMovementsError
from liaison.care.notes import findings_of_notes
from liaison.care.patient import Patient, fold_identity, fold_link, fold_merge, patient_changes
from liaison.care.reattribution import gave_away, given, gone, heir, is_news, taken_back_changes, took_back
from liaison.care.stay import fold_movement, stay_changes
from liaison.events.envelope import Event
from liaison.finding import Finding
from liaison.hub.crossing import Proposals, holder_elsewhere, is_shared, met
from liaison.hub.entries import document_entries, patient_entries
from liaison.hub.following import Following, holder_of
from liaison.hub.given import given_as
from liaison.hub.journal.records import (
    DocumentRecord,
    IdentifierRecord,
    PatientRecord,
    Record,
    StayRecord,
    number_id,
    text_id,
)
from liaison.hub.journal.view import Moment, View
from liaison.hub.outbox import Outbox
from liaison.hub.policy import Policy
from liaison.hub.reattributing import documents_of_episode, stays_of_episode
from liaison.hub.refusals import (
    ALREADY_GIVEN,
    ALREADY_HELD,
    DOCUMENT_CONFLICT,
    DOCUMENT_OF_ANOTHER,
    GIVER_UNKNOWN,
    INS_ELSEWHERE,
    NOBODY,
    NUMBER_OF_ANOTHER,
    TOO_MANY_MOVEMENTS,
    VISIT_OF_ANOTHER,
)
from liaison.hub.resolution import BlindIndex, document_blinds, find_patient, followed
from liaison.hub.telling import Origin, Telling
from liaison.rules.decision import Outcome
from liaison.rules.foreign import ProposalKind, Proposed
from liaison.rules.golive import lateness
from liaison.rules.letters import decide_letter, letter_waits


class Contradiction(Exception):
    """The facts contradict the state: the message is kept whole for a person, and changes nothing."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.rule)
        self.finding = finding


class Taking:
    """What was folded so far: records to write, events to tell, the outbox."""

    def __init__(
        self, origin: Origin, *, policy: Policy, index: BlindIndex, view: View, moment: Moment, accepted: bool = False
    ) -> None:
        """``accepted`` says that a person answers for what is folded: then it may touch other hospitals' patients."""
        self._origin = origin
        self._policy = policy
        self._index_of = index
        self._view = view
        self._moment = moment
        self._new: set[int] = set()
        self._standing = policy.going_live.standing(origin.source)
        self._accepted = accepted
        self._profile = None if accepted else policy.profiles.get(origin.source)
        self.patient: PatientRecord | None = None
        self.proposals = Proposals(view, index)
        self.findings: list[Finding] = []
        self.records: list[Record] = []
        self.outbox = Outbox(view, moment, message=origin.message, source=origin.source)
        self._telling = Telling(origin, policy=policy, moment=moment, records=self.records, outbox=self.outbox)

    @property
    def events(self) -> tuple[Event, ...]:
        """What is told so far."""
        return tuple(self._telling.events)

    def fold(self, facts: Iterable[Fact]) -> None:
        """All facts of the message, in order.

        Raises:
            Contradiction: with the finding that says which; what was folded before it must not be used.
        """
        for number, fact in enumerate(facts):
            if number and not isinstance(fact, MovementFact):
                # An A40 and an A44 repeat their pairs and a report its documents: each sees what the ones before it changed.
                self._view = self._view.over(self.records)
            # What a person accepted is news, however old.
            self._telling.late = None if self._accepted else lateness(fact, self._standing, self._moment.now)
            match fact:
                case IdentityFact(action=IdentityAction.MERGE):
                    self._merge(fact)
                case IdentityFact(action=IdentityAction.LINK | IdentityAction.UNLINK):
                    self._link(fact)
                case IdentityFact():
                    self._identity(fact)
                case MovementFact():
                    self._movement(fact)
                case ReattributionFact():
                    self._reattribute(fact)
                case DocumentFact():
                    self._document(fact)
                case ReceiptFact():
                    pass

    # Identities -------------------------------------------------------------------------------------------------------------------

    def _identity(self, fact: IdentityFact) -> None:
        old = fact.absorbed if fact.action is IdentityAction.CHANGE_IDENTIFIER else ()
        if old:
            holders = [find_patient(self._view, self._index_of, names, None)[0] for names in (fact.identifiers, old)]
            if len({holder.id for holder in holders if holder is not None}) > 1:
                raise Contradiction(NUMBER_OF_ANOTHER)
        before, elsewhere = find_patient(self._view, self._index_of, (*fact.identifiers, *old), fact.traits)
        if elsewhere:
            self.findings.append(INS_ELSEWHERE)
            self._contest(fact.identifiers)
        if old or fact.removes_ins:
            of_ins = fact.removes_ins or any(one.kind is IdentifierKind.INS for one in old)
            if of_ins and before is not None and is_shared(before, self._profile):
                self.patient = before
                self.proposals.put(Proposed(kind=ProposalKind.IDENTIFIER_CHANGE, facts=(fact,)))
                return
        elif self._policy.several and self._profile is not None:
            found = met(self._view, self._index_of, fact, before, establishment=self._origin.establishment, policy=self._policy)
            if isinstance(found, Proposed):
                self.proposals.put(found)
            else:
                before = found
        number = before.id if before is not None else self._moment.next_id()
        if before is None:
            self._new.add(number)
        state = fold_identity(before.state if before is not None else None, fact, patient_id=text_id(number))
        self._index(state.identifiers if before is None else fact.identifiers, number)
        self._tell_patient(before, self._followed(fact, before, _with_state(before, number, state)))

    def _merge(self, fact: IdentityFact) -> None:
        survivor, _ = find_patient(self._view, self._index_of, fact.identifiers, fact.traits)
        absorbed, _ = find_patient(self._view, self._index_of, fact.absorbed, None)
        if is_shared(survivor, self._profile) or is_shared(absorbed, self._profile):
            self.proposals.put(Proposed(kind=ProposalKind.MERGE, facts=(fact,)))
            return
        number = survivor.id if survivor is not None else self._moment.next_id()
        if survivor is None:
            self._new.add(number)
        state, gone = fold_merge(
            survivor.state if survivor is not None else None,
            absorbed.state if absorbed is not None else None,
            fact,
            patient_id=text_id(number),
        )
        # Numbers of other authorities follow the merge; here they could mean somebody else's.
        said = {one.authority for one in (*fact.identifiers, *fact.absorbed)}
        self._index((one for one in state.identifiers if one.authority in said), number, merged=True)
        if absorbed is not None and gone is not None and gone != absorbed.state:
            self.records.append(replace(absorbed, state=gone))
        after = _with_state(survivor, number, state)
        if absorbed is not None and absorbed.id != number:
            after = self._carried(after, absorbed)
        self._tell_patient(survivor, self._followed(fact, survivor, after))

    def _link(self, fact: IdentityFact) -> None:
        """Two records are of one person, or are not: each remembers the other, and nothing else of them changes."""
        one, other = (find_patient(self._view, self._index_of, names, None)[0] for names in (fact.identifiers, fact.linked))
        if one is None or other is None:
            raise Contradiction(NOBODY)
        if one.id == other.id:
            self.patient = one
            return
        for record, opposite in ((other, one), (one, other)):
            state = fold_link(record.state, fact, other=opposite.state.id)
            self._tell_patient(record, replace(record, state=state))

    def _contest(self, identifiers: Iterable[Identifier]) -> None:
        """Note with its holder that somebody else claims an INS: nobody may be followed by it alone."""
        for identifier in identifiers:
            holder = holder_of(self._view, self._index_of, identifier) if identifier.kind is IdentifierKind.INS else None
            if holder is not None and holder.contested != identifier.value:
                contested = replace(holder, contested=identifier.value)
                self.records.append(contested)
                self._view = self._view.over((contested,))

    def _followed(self, fact: IdentityFact, before: PatientRecord | None, after: PatientRecord) -> PatientRecord:
        """The patient with the enrolments that mean them, as their identity is now; nothing to do for most messages."""
        if not self._policy.follows:
            return after
        if after.follows:
            after = self._following(lambda following: following.reviewed(after), after)
        if before is None or before.state.identifiers != after.state.identifiers:
            found = after
            after = self._following(lambda following: following.found(fact.identifiers, before, found, self._index_of), after)
        return after

    def _following(self, step: Callable[[Following], PatientRecord], patient: PatientRecord) -> PatientRecord:
        if not self._policy.follows:
            return patient
        following = Following(self._view, self._policy.lists, self._moment.now_us)
        patient = step(following)
        self.records += following.records
        return patient

    def _tell_patient(self, before: PatientRecord | None, after: PatientRecord) -> None:
        self.patient = after
        changes = patient_changes(before.state if before is not None else None, after.state)
        if changes:
            first = self._telling.count
            told = [(change, self._tell(change, told_event_id(after.state, change))) for change in changes]
            self.patient = after = replace(
                after, state=remember(after.state, told), events=self._telling.remembered(after.events, first)
            )
        if before != after:
            self.records.append(after)

    def _index(self, identifiers: Iterable[Identifier], number: int, *, merged: bool = False) -> None:
        several = self._policy.several
        self.records += patient_entries(self._view, self._index_of, identifiers, number, merged=merged, several=several)

    def _known_patient(self, identifiers: tuple[Identifier, ...]) -> PatientRecord:
        if self.patient is None:
            self.patient, _ = find_patient(self._view, self._index_of, identifiers, None)
        if self.patient is None:
            raise Contradiction(NOBODY)
        return self.patient

    # Between hospitals ------------------------------------------------------------------------------------------------------------

    def accept(self, proposed: Proposed) -> None:
        """Do what was proposed. Raises Contradiction as ``fold`` does."""
        if proposed.kind not in (ProposalKind.LINK, ProposalKind.INS_MATCH):
            self.fold(proposed.facts)
            return
        for fact in proposed.facts:
            if isinstance(fact, IdentityFact):
                self._join(fact)

    def _join(self, fact: IdentityFact) -> None:
        """Make one patient of those that the identifiers lead to; no identifier is given up."""
        found = [find_patient(self._view, self._index_of, (one,), fact.traits)[0] for one in fact.identifiers]
        found.append(holder_elsewhere(self._view, self._index_of, fact) if self._policy.several else None)
        patients = sorted({one.id: one for one in found if one is not None}.values(), key=lambda one: one.id)
        if len(patients) < 2:
            self._identity(fact)
            return
        survivor, *others = patients
        after = survivor
        together = replace(fact, action=IdentityAction.MERGE, absorbed=())
        for other in others:
            state, gone = fold_merge(after.state, other.state, together, patient_id=survivor.state.id)
            after = replace(after, state=state)
            if gone is not None:
                self.records.append(replace(other, state=gone))
            after = self._carried(after, other)
        self._index(fact.identifiers, survivor.id, merged=True)
        self._tell_patient(survivor, self._followed(fact, survivor, after))

    def _carried(self, survivor: PatientRecord, absorbed: PatientRecord) -> PatientRecord:
        return self._following(lambda following: following.carried(survivor, absorbed), survivor)

    # Stays ------------------------------------------------------------------------------------------------------------------------

    def _movement(self, fact: MovementFact) -> None:
        speaker = self._known_patient(fact.patient)
        patient = self._heir(speaker, fact.episode) if speaker.state.given_away else speaker
        blind = self._index_of.of(fact.visit)
        entry = self._view.identifier(blind)
        before = None if entry is None else self._view.stay(entry.id)
        owner = None if before is None else followed(self._view, before.patient)
        if owner is None:
            # A stay whose patient was erased is nobody's: its number begins a new one.
            before = None
        elif owner.id != patient.id:
            raise Contradiction(VISIT_OF_ANOTHER)
        number = before.id if before is not None else self._moment.next_id()
        state = before.state if before is not None else None
        try:
            after, changes = fold_movement(state, fact, stay_id=text_id(number), patient_id=patient.state.id)
        except TooManyMovementsError as error:
            raise Contradiction(TOO_MANY_MOVEMENTS) from error
        self.findings.extend(findings_of_notes(() if state is None else state.notes, after.notes))
        stay = StayRecord(id=number, patient=patient.id, state=after)
        if before is not None:
            stay = replace(stay, events=before.events)
        stay = self._told(stay, changes, patient)
        if before is None or before.state != stay.state:
            self.records.append(stay)
        if before is None:
            self.records.append(IdentifierRecord(blind=blind, target="stay", id=number))

    def _told(self, stay: StayRecord, changes: Iterable[Change], patient: PatientRecord) -> StayRecord:
        """The stay that remembers what is told of it now, of the patient whose it is."""
        if not changes:
            return stay
        first = self._telling.count
        told = [(change, self._tell(change, told_event_id(stay.state, change), stay=stay, of=patient)) for change in changes]
        return replace(stay, state=remember(stay.state, told), events=self._telling.remembered(stay.events, first))

    def _heir(self, patient: PatientRecord, episode: Identifier | None) -> PatientRecord:
        """Whose an episode is: what comes late under the numbers of who had it by mistake is of who has it now."""
        to = heir(patient.state, episode)
        return (followed(self._view, number_id(to)) if to else None) or patient

    def _reattribute(self, fact: ReattributionFact) -> None:
        """An episode changes its patient: who had it is told that it never was, who has it that it is."""
        taker, _ = find_patient(self._view, self._index_of, fact.patient, None)
        if taker is None:
            raise Contradiction(NOBODY)
        giver, _ = find_patient(self._view, self._index_of, fact.former, None)
        if giver is None:
            self.findings.append(GIVER_UNKNOWN)
        if giver is None or giver.id == taker.id or not is_news(giver.state, taker.state, fact):
            return
        self.records.append(replace(giver, state=gave_away(giver.state, fact, to=taker.state.id)))
        kept = took_back(taker.state, fact.episode)
        if kept is not taker.state:
            taker = replace(taker, state=kept)
            self.records.append(taker)
        stays = list(stays_of_episode(self._view, giver, fact.episode))
        for stay in stays:
            for change in taken_back_changes(stay.state, at=fact.recorded_at):
                undone = told_event_id(stay.state, change)
                self._tell(change, undone, stay=replace(stay, state=gone(stay.state)), of=giver)
        # What was under way for who had it leaves first.
        self.outbox.waits_for(giver.id)
        for stay in stays:
            state = given(stay.state, patient_id=taker.state.id)
            moved = StayRecord(id=stay.id, patient=taker.id, state=state)
            self.records.append(self._told(moved, stay_changes(None, state), taker))
        visits = frozenset(stay.state.visit for stay in stays)
        for document in documents_of_episode(self._view, giver, fact.episode, visits):
            held = replace(document.state.fact, visit_of_another=True)
            self.records.append(replace(document, state=replace(document.state, fact=held)))

    # Documents --------------------------------------------------------------------------------------------------------------------

    def _document(self, fact: DocumentFact) -> None:
        patient = self._known_patient(fact.patient)
        fact = self._with_stay(fact, patient)
        known = {blind: self._document_at(blind) for blind in document_blinds(self._index_of, fact)}
        before = next(iter(known.values()))
        chain = {record.id: record for record in known.values() if record is not None and record is not before}
        if any(self._owner(record) != patient.id for record in known.values() if record is not None):
            raise Contradiction(DOCUMENT_OF_ANOTHER)
        state = before.state if before is not None else None
        fold = fold_document(state, fact, patient_id=patient.state.id, chain=[record.state for record in chain.values()])
        if fold.conflict:
            raise Contradiction(DOCUMENT_CONFLICT)
        self.findings.extend(findings_of_notes(() if state is None else state.notes, fold.document.notes))
        by_name = {record.state.id: record for record in chain.values()}
        self.records.extend(replace(by_name[old.id], state=new) for old, new in fold.others)
        number = before.id if before is not None else self._moment.next_id()
        first = self._telling.count
        changes = document_changes(state, fold.document)
        told = [(change, self._tell(change, told_event_id(fold.document, change), document=fold.document)) for change in changes]
        record = DocumentRecord(
            id=number,
            patient=patient.id,
            message=self._holder(before, fold.document),
            state=remember(fold.document, told),
            mailed=before.mailed if before is not None else (),
            events=self._telling.remembered(before.events if before is not None else (), first),
        )
        earlier = {blind: token for one in (*chain.values(), *((before,) if before else ())) for blind, token in one.mailed}
        self.records.append(self._letters(fact, record, told[-1][1] if told else "", earlier))
        self.records += document_entries(self._index_of, fact, number, known)

    def _with_stay(self, fact: DocumentFact, patient: PatientRecord) -> DocumentFact:
        """The fact with what its stay knows and the message leaves out, where a rule asks for it, and whether it is another's."""
        if heir(patient.state, fact.episode):
            return replace(fact, visit_of_another=True)
        if fact.visit is None:
            return fact
        entry = self._view.identifier(self._index_of.of(fact.visit))
        stay = None if entry is None else self._view.stay(entry.id)
        owner = None if stay is None else followed(self._view, stay.patient)
        if stay is None or owner is None:
            return fact
        if owner.id != patient.id:
            return replace(fact, visit_of_another=True)
        return completed_by_stay(fact, stay.state) if self._policy.letters.asks_the_stay else fact

    def _letters(self, fact: DocumentFact, record: DocumentRecord, event: str, earlier: Mapping[bytes, str]) -> DocumentRecord:
        """Decide who gets the document; ``earlier`` is who was given an earlier version of it, and by which mail."""
        patient = self._known_patient(fact.patient)
        letters = decide_letter(
            fact,
            rules=self._policy.letters,
            source=self._origin.source,
            patient=patient.state,
            processing=self._origin.processing,
        )
        self.findings.extend(letters.findings)
        waits_for_next = letter_waits(fact, rules=self._policy.letters, source=self._origin.source)
        mailed = dict(record.mailed)
        for one in letters.decisions:
            decided = self._telling.kept_in(one, patient, is_letter=True)
            to = (decided.destination, decided.recipient.lower())
            given = given_as(self._index_of, fact.action, *to)
            # What is shadowed has not left: the same letter may still leave, once it is sent again to a live source.
            shadow = "shadow-" if decided.would is not None else ""
            gives = self._index_of.named("shadow-mailed", f"{fact.action}:{to[0]}", to[1]) if shadow else given
            waits = self._index_of.named(f"{shadow}held", f"{fact.action}:{to[0]}", to[1])
            outcome = decided.outcome if decided.would is None else decided.would.outcome
            decision = decided
            if outcome is not Outcome.DROP and (given in mailed or gives in mailed):
                decision = replace(one, outcome=Outcome.DROP, reason=ALREADY_GIVEN, rule="letters.already-given")
            elif outcome is Outcome.HOLD and waits in mailed:
                decision = replace(one, outcome=Outcome.DROP, reason=ALREADY_HELD, rule="letters.already-held")
            before = (given_as(self._index_of, action, *to) for action in (DocumentAction.REPLACE, DocumentAction.PUBLISH))
            delivery = self.outbox.put(
                decision,
                patient=patient,
                new=patient.id in self._new,
                kind=fact.type_code,
                event=event,
                ordinal=max(self._telling.count - 1, 0),
                document=record.id,
                withdraws=fact.action is DocumentAction.WITHDRAW,
                previous=next((earlier[blind] for blind in before if blind in earlier), ""),
                wait=waits_for_next.get(decision.destination, 0.0),
            )
            if delivery is not None:
                mailed[gives if outcome is Outcome.DELIVER else waits] = delivery.token
        return replace(record, mailed=tuple(mailed.items()))

    def _holder(self, before: DocumentRecord | None, after: Document) -> int:
        """The message that brought the bytes: this one, unless an earlier one brought the same (a withdrawal brings none)."""
        return before.message if before is not None and before.state.digest == after.digest else self._origin.message

    def _document_at(self, blind: bytes) -> DocumentRecord | None:
        entry = self._view.identifier(blind)
        record = None if entry is None else self._view.document(entry.id)
        # A document whose patient was erased is nobody's.
        return None if record is None or self._owner(record) is None else record

    def _owner(self, record: DocumentRecord) -> int | None:
        owner = followed(self._view, record.patient)
        return None if owner is None else owner.id

    def _tell(
        self,
        change: Change,
        undone: str,
        *,
        stay: StayRecord | None = None,
        document: Document | None = None,
        of: PatientRecord | None = None,
    ) -> str:
        """``of``: whom it is about, where that is not the message's own patient."""
        patient = of or self.patient
        if patient is None:
            raise AssertionError("a change without a patient")
        return self._telling.tell(change, undone, patient=patient, new=patient.id in self._new, stay=stay, document=document)


def _with_state(before: PatientRecord | None, number: int, state: Patient) -> PatientRecord:
    return PatientRecord(id=number, state=state) if before is None else replace(before, state=state)
