"""A hospital's life as a feed: people come, move, leave; letters follow; mistakes are made and put right.

Pure: everything is drawn from the ``random.Random`` given, time starts where the caller says. The same seed gives the same bytes.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from liaison.demo import messages
from liaison.demo.conditions import CONDITIONS, Condition
from liaison.demo.hospital import HOSPITALS, SPECIALTIES, Hospital, Ward
from liaison.demo.letters import Letter, Subject, consultation_report, discharge_letter, new_oid
from liaison.demo.messages import Envelope, Movement, Situation
from liaison.demo.people import Physician, make_hospital_physician, make_patient, make_physicians
from liaison.private import Private

PARIS = ZoneInfo("Europe/Paris")


class TimedMessage(Private, frozen=True, kw_only=True):
    """A message and when its hospital sends it."""

    at: datetime
    raw: bytes
    #: MSH-9.1 and .2, ``ADT^A01``.
    kind: str
    control_id: str
    #: Key of the hospital.
    hospital: str


#: Makes the bytes of a message once its control id and time are known; who the patient is may have changed meanwhile.
Write = Callable[[Envelope], bytes]


def simulate(
    hospital: Hospital,
    rng: random.Random,
    start: datetime,
    *,
    physicians: Sequence[Physician] | None = None,
    present: int = 6,
) -> Iterator[TimedMessage]:
    """The endless feed of one hospital, in the order of time, from ``start`` (aware) on.

    ``present`` patients are already in bed: the feed begins by telling their admissions, as an interface does on its first day.
    """
    doctors = physicians if physicians is not None else make_physicians(rng)
    return _Feed(hospital, rng, doctors).run(start.astimezone(PARIS), present)


def simulate_region(
    rng: random.Random, start: datetime, *, hospitals: Sequence[Hospital] = HOSPITALS, physicians: Sequence[Physician] | None = None
) -> Iterator[TimedMessage]:
    """The feeds of several hospitals, merged in the order of time."""
    doctors = physicians if physicians is not None else make_physicians(rng)
    feeds = [simulate(hospital, random.Random(rng.getrandbits(64)), start, physicians=doctors) for hospital in hospitals]
    return heapq.merge(*feeds, key=lambda message: message.at)


class _Feed:
    """One hospital's steps to come, in a heap; everything it numbers."""

    def __init__(self, hospital: Hospital, rng: random.Random, physicians: Sequence[Physician]) -> None:
        self.hospital = hospital
        self.rng = rng
        self.physicians = physicians
        self.staff = {
            ward.uf: [make_hospital_physician(rng, hospital.commune, SPECIALTIES[ward.specialty]) for _ in range(2)]
            for ward in hospital.wards
        }
        self.subjects: dict[int, Subject] = {}
        self.steps: list[tuple[datetime, int, str, Write]] = []
        self.order = itertools.count()
        self.ipps = itertools.count(rng.randrange(100_000, 300_000))
        self.episodes = itertools.count(rng.randrange(26_000_000, 26_500_000))
        self.visits = itertools.count(rng.randrange(500_000, 600_000))
        self.movements = itertools.count(rng.randrange(1_000, 90_000))
        self.prefix = f"{rng.getrandbits(32):08X}"
        self.controls = itertools.count(1)
        self.earliest = datetime.min.replace(tzinfo=PARIS)

    def run(self, start: datetime, present: int) -> Iterator[TimedMessage]:
        self.earliest = start
        for _ in range(present):
            self._already_here(start)
        arrival = self._next_arrival(start)
        while True:
            if not self.steps or arrival < self.steps[0][0]:
                self._arrive(arrival)
                arrival = self._next_arrival(arrival)
                continue
            at, _, kind, write = heapq.heappop(self.steps)
            self.earliest = max(self.earliest, at)
            control_id = f"{self.prefix}{next(self.controls):07d}"
            raw = write(Envelope(hospital=self.hospital, control_id=control_id, sent_at=at))
            yield TimedMessage(at=at, raw=raw, kind=kind, control_id=control_id, hospital=self.hospital.key)

    # --- Steps -------------------------------------------------------------------------------------------------------------------

    def plan(self, at: datetime, kind: str, write: Write) -> None:
        """Have a message sent at ``at``, or soon when that is past already; steps planned one after the other stay so."""
        if at < self.earliest:
            self.earliest += timedelta(seconds=self.rng.uniform(2, 15))
            at = self.earliest
        heapq.heappush(self.steps, (at.replace(microsecond=0), next(self.order), kind, write))

    def _tell(
        self,
        who: int,
        moved: Movement,
        *,
        after: timedelta | None = None,
        action: str = "INSERT",
        trigger: str = "",
        shown: Situation | None = None,
        prior: Situation | None = None,
    ) -> datetime:
        """Plan the message of a movement, some minutes after it happened; returns when it leaves."""
        at = moved.at + (after if after is not None else timedelta(minutes=self.rng.uniform(0.5, 6)))

        def write(envelope: Envelope) -> bytes:
            return messages.movement(envelope, self.subjects[who], moved, action=action, trigger=trigger, shown=shown, prior=prior)

        self.plan(at, f"ADT^{trigger or moved.trigger}", write)
        return at

    def _move(self, trigger: str, at: datetime, situation: Situation, nature: str = "HMS") -> Movement:
        return Movement(id=str(next(self.movements)), trigger=trigger, at=at.replace(microsecond=0), nature=nature, after=situation)

    def _minutes(self, low: float, high: float) -> timedelta:
        return timedelta(minutes=self.rng.uniform(low, high))

    def _by_day(self, at: datetime, first: int, last: int) -> datetime:
        """The same day, at an hour from ``first`` up to ``last``."""
        return at.replace(hour=self.rng.randrange(first, last), minute=self.rng.randrange(60))

    def _next_arrival(self, now: datetime) -> datetime:
        """Arrivals follow the hours of the day: few at night."""
        busy = 1.7 if 8 <= now.hour < 20 else 0.35
        return now + timedelta(days=self.rng.expovariate(self.hospital.admissions * busy))

    # --- People ------------------------------------------------------------------------------------------------------------------

    def _register(self, at: datetime, *, twice: bool = False) -> int:
        """Somebody new: A28, sometimes an A31 later, when the INS was checked. ``twice`` makes the double that an A40 will end."""
        rng = self.rng
        patient = make_patient(rng, self.physicians, at.date())
        who = len(self.subjects)
        knows = patient.physician is not None and rng.random() < 0.95
        chance = rng.random()
        ipp = str(next(self.ipps))
        sure = Subject(patient=patient, ipp=ipp, statuses=("VALI",), qualified=True, knows_physician=knows)
        doubtful = msgspec.structs.replace(sure, statuses=("PROV",), qualified=False)
        if twice:
            duplicate = msgspec.structs.replace(doubtful, ipp=str(next(self.ipps)))
            self.plan(at, "ADT^A28", lambda envelope: messages.identity(envelope, sure, "A28"))
            self._identify(who, at + self._minutes(1, 2), "A28", duplicate)
            self._identify(who, at + self._minutes(40, 120), "A40", sure, absorbed=duplicate.ipp)
        elif chance < 0.72:
            self._identify(who, at, "A28", sure)
        elif chance < 0.86:
            self._identify(who, at, "A28", doubtful)
            self._identify(who, at + self._minutes(60, 600), "A31", sure)
        elif chance < 0.93:
            self._identify(who, at, "A28", msgspec.structs.replace(sure, qualified=False))
        elif chance < 0.98:
            self._identify(who, at, "A28", doubtful)
        else:
            self._identify(who, at, "A28", msgspec.structs.replace(doubtful, statuses=("PROV", "DOUT")))
        return who

    def _identify(self, who: int, at: datetime, trigger: str, subject: Subject, *, absorbed: str = "") -> None:
        self.subjects.setdefault(who, subject)

        def write(envelope: Envelope) -> bytes:
            self.subjects[who] = subject
            return messages.identity(envelope, subject, trigger, absorbed=absorbed)

        self.plan(at, f"ADT^{trigger}", write)

    def _situation(
        self, ward: Ward, patient_class: str, *, urgent: bool, admitted_at: datetime, preadmission: str = ""
    ) -> Situation:
        situation = Situation(
            episode=str(next(self.episodes)),
            visit=str(next(self.visits)),
            patient_class=patient_class,
            ward=ward,
            attending=self.rng.choice(self.staff[ward.uf]),
            preadmission=preadmission,
            urgent=urgent,
            admitted_at=admitted_at.replace(microsecond=0),
        )
        return self._bed(situation, ward) if patient_class == "I" else situation

    def _bed(self, situation: Situation, ward: Ward) -> Situation:
        room = f"{self.rng.randint(1, 3)}{self.rng.randint(1, 24):02d}"
        attending = situation.attending if situation.ward == ward else self.rng.choice(self.staff[ward.uf])
        bed = self.rng.choice("PF") if self.rng.random() < 0.5 else "S"
        return msgspec.structs.replace(situation, ward=ward, room=room, bed=bed, attending=attending, patient_class="I")

    # --- Ways through the hospital -----------------------------------------------------------------------------------------------

    def _arrive(self, at: datetime) -> None:
        hospital, rng = self.hospital, self.rng
        condition = rng.choice([c for c in CONDITIONS if any(w.specialty == c.specialty for w in hospital.wards)])
        chance = rng.random()
        if hospital.emergencies and chance < 0.5:
            self._by_emergencies(at, hospital.emergencies, condition)
        elif hospital.consultations and chance < 0.75:
            self._outpatient(at, hospital.consultations)
        else:
            self._programmed(at, condition)

    def _already_here(self, start: datetime) -> None:
        """Somebody admitted some days ago, who leaves soon."""
        condition = self.rng.choice([c for c in CONDITIONS if any(w.specialty == c.specialty for w in self.hospital.wards)])
        stay = timedelta(days=self.rng.uniform(*condition.days))
        left = start + timedelta(hours=self.rng.choice((0.4, 1, 2, 5, 24, 48)) * self.rng.uniform(0.6, 1.4))
        admitted_at = self._by_day(left - stay, 8, 18)
        self._admit(self._register(admitted_at), admitted_at, condition, urgent=False, left_at=left)

    def _by_emergencies(self, at: datetime, emergencies: Ward, condition: Condition) -> None:
        rng = self.rng
        who = self._register(at, twice=rng.random() < 0.06)
        seen = self._situation(emergencies, "E", urgent=True, admitted_at=at)
        arrived = self._move("A04", at + self._minutes(2, 8), seen)
        self._tell(who, arrived)
        decided = arrived.at + self._minutes(100, 420)
        chance = rng.random()
        if chance < 0.6:
            admitted = self._bed(seen, self.hospital.ward(condition.specialty))
            moved = self._move("A06", decided, admitted)
            told = self._tell(who, moved, prior=seen)
            if rng.random() < 0.04:  # the bed was not free: back to the emergency ward, then admitted for good
                back = self._minutes(15, 40)
                self._tell(who, moved, after=told - moved.at + back, action="CANCEL", trigger="A07", shown=seen)
                moved = self._move("A06", moved.at + back + self._minutes(60, 180), self._bed(seen, admitted.ward))
                self._tell(who, moved, prior=seen)
            left_at = self._by_day(moved.at + timedelta(days=rng.uniform(*condition.days)), 10, 18)
            self._in_bed(who, moved, condition, left_at)
        elif chance < 0.92 or not self.hospital.consultations:
            self._leave(who, seen, decided, ("8", ""))
        else:
            outside = self._situation(self.hospital.consultations, "O", urgent=True, admitted_at=at)
            outside = msgspec.structs.replace(outside, episode=seen.episode, visit=seen.visit)
            moved = self._move("A07", decided, outside)
            self._tell(who, moved, prior=seen)
            self._leave(who, outside, decided + self._minutes(30, 90), ("8", ""))

    def _programmed(self, at: datetime, condition: Condition) -> None:
        rng = self.rng
        who = self._register(at)
        admitted_at = max(self._by_day(at + timedelta(days=rng.uniform(0.3, 4)), 8, 15), at + timedelta(hours=1))
        ward = self.hospital.ward(condition.specialty)
        number = f"P{next(self.visits)}"
        planned = self._situation(ward, "I", urgent=False, admitted_at=admitted_at, preadmission=number)
        planned = msgspec.structs.replace(planned, room="", bed="", admitted_at=None, expected_at=admitted_at)
        preadmission = self._move("A05", at + self._minutes(3, 10), planned)
        told = self._tell(who, preadmission)
        if rng.random() < 0.12:
            later = told - preadmission.at + timedelta(hours=rng.uniform(2, 20))
            self._tell(who, preadmission, after=later, action="CANCEL", trigger="A38")
            return
        left_at = self._by_day(admitted_at + timedelta(days=rng.uniform(*condition.days)), 10, 18)
        self._admit(who, admitted_at, condition, urgent=False, left_at=left_at, planned=planned)

    def _admit(
        self, who: int, at: datetime, condition: Condition, *, urgent: bool, left_at: datetime, planned: Situation | None = None
    ) -> None:
        ward = self.hospital.ward(condition.specialty)
        situation = self._situation(ward, "I", urgent=urgent, admitted_at=at)
        if planned:
            situation = msgspec.structs.replace(
                situation,
                episode=planned.episode,
                visit=planned.visit,
                preadmission=planned.preadmission,
                attending=planned.attending,
            )
        admitted = self._move("A01", at, situation)
        told = self._tell(who, admitted)
        if planned and self.rng.random() < 0.04:
            self._tell(who, admitted, after=told - admitted.at + self._minutes(10, 40), action="CANCEL", trigger="A11")
            return
        self._in_bed(who, admitted, condition, left_at)

    def _in_bed(self, who: int, admitted: Movement, condition: Condition, left_at: datetime) -> None:
        """From the admission to the discharge: changes of bed and ward, some cancelled or corrected."""
        rng = self.rng
        current = admitted
        for share in sorted(rng.uniform(0.1, 0.9) for _ in range(rng.choice((0, 0, 1, 1, 2)))):
            at = admitted.at + (left_at - admitted.at) * share
            elsewhere = rng.random() < 0.4
            ward = rng.choice(self.hospital.beds) if elsewhere else current.after.ward
            nature = "L" if ward == current.after.ward else "HMS"
            moved = self._move("A02", at, self._bed(current.after, ward), nature)
            told = self._tell(who, moved, prior=current.after)
            delay = told - moved.at + self._minutes(15, 60)
            chance = rng.random()
            if chance < 0.08:
                self._tell(who, moved, after=delay, action="CANCEL", trigger="A12", shown=current.after)
                continue
            if chance < 0.16:  # it happened a little earlier than was told first
                moved = msgspec.structs.replace(moved, at=moved.at - timedelta(minutes=20))
                self._tell(who, moved, after=delay, action="UPDATE", trigger="Z99")
            current = moved
        mode = rng.choices((("8", ""), ("8", "7"), ("8", "6"), ("7", "2")), (78, 9, 5, 8))[0]
        if rng.random() < 0.06:  # discharged by mistake: cancelled, then for good the day after
            too_early = msgspec.structs.replace(current.after, discharged_at=left_at.replace(microsecond=0), exit_mode=mode)
            discharged = self._move("A03", left_at, too_early)
            told = self._tell(who, discharged)
            delay = told - discharged.at + self._minutes(10, 45)
            self._tell(who, discharged, after=delay, action="CANCEL", trigger="A13", shown=current.after)
            left_at += timedelta(hours=rng.uniform(20, 28))
        told = self._leave(who, current.after, left_at, mode)
        self._write_letter(who, current.after, condition, left_at, told, mode)

    def _leave(self, who: int, situation: Situation, at: datetime, mode: tuple[str, str]) -> datetime:
        """A03, sometimes corrected; returns when the last of these messages leaves."""
        gone = msgspec.structs.replace(situation, discharged_at=at.replace(microsecond=0), exit_mode=mode)
        discharged = self._move("A03", at, gone)
        told = self._tell(who, discharged)
        if self.rng.random() < 0.06:
            earlier = discharged.at - timedelta(minutes=25)
            corrected = msgspec.structs.replace(discharged, at=earlier, after=msgspec.structs.replace(gone, discharged_at=earlier))
            told = self._tell(who, corrected, after=told - earlier + self._minutes(5, 30), action="UPDATE", trigger="Z99")
        return told

    def _outpatient(self, at: datetime, ward: Ward) -> None:
        who = self._register(at)
        situation = self._situation(ward, "O", urgent=False, admitted_at=at)
        arrived = self._move("A04", at + self._minutes(5, 15), situation)
        self._tell(who, arrived)
        left_at = arrived.at + self._minutes(35, 90)
        told = self._leave(who, situation, left_at, ("8", ""))
        written_at = told + self._minutes(4, 45)

        def make() -> Letter:
            return consultation_report(
                self.rng,
                subject=self.subjects[who],
                hospital=self.hospital,
                ward=ward,
                author=situation.attending,
                came_at=arrived.at,
                left_at=left_at.replace(microsecond=0),
                written_at=max(written_at, self.earliest).replace(microsecond=0),
            )

        self._send_letter(who, situation, written_at, make)

    # --- Letters -----------------------------------------------------------------------------------------------------------------

    def _write_letter(
        self, who: int, situation: Situation, condition: Condition, left_at: datetime, told: datetime, mode: tuple[str, str]
    ) -> None:
        late = self.rng.random() < 0.15
        written_at = told + (timedelta(hours=self.rng.uniform(18, 44)) if late else self._minutes(4, 50))

        def make() -> Letter:
            return discharge_letter(
                self.rng,
                subject=self.subjects[who],
                hospital=self.hospital,
                ward=situation.ward,
                author=situation.attending,
                condition=condition,
                admitted_at=situation.admitted_at or left_at,
                left_at=left_at.replace(microsecond=0),
                written_at=max(written_at, self.earliest).replace(microsecond=0),
                urgent=situation.urgent,
                exit_mode=mode,
            )

        self._send_letter(who, situation, written_at, make)

    def _send_letter(self, who: int, situation: Situation, at: datetime, make: Callable[[], Letter]) -> None:
        """The letter, and for one in fifteen a corrected version some hours later."""
        rng = self.rng
        written: list[Letter] = []

        def write(envelope: Envelope) -> bytes:
            if not written:
                written.append(make())
            letter = written[-1]
            doctor = letter.subject.patient.physician if letter.subject.knows_physician else None
            named = [doctor] if doctor and doctor.address and rng.random() < 0.75 else []
            flags = {"DESTMSSANTEPS"} | ({"DESTDMP"} if letter.subject.qualified else set[str]())
            chance = rng.random()
            if chance < 0.25:
                flags.add("INVISIBLE_PATIENT")
            elif chance < 0.29:
                flags.add("MASQUE_PS")
            greeting = (
                f"Bonjour,\n\nVous trouverez ci-joint le document : {letter.title}.\n\n{letter.author.label}\n{letter.ward.label}\n"
            )
            body = greeting if rng.random() < 0.4 else ""
            return messages.document(envelope, letter, situation, recipients=named, flags=frozenset(flags), mail_body=body)

        def correct(envelope: Envelope) -> bytes:
            first = written[-1]
            story = (
                *first.story,
                "Correction : la date de la consultation de suivi est à confirmer avec le secrétariat du service.",
            )
            written.append(
                msgspec.structs.replace(
                    first,
                    oid=new_oid(rng),
                    replaces=first.oid,
                    version=first.version + 1,
                    subject=self.subjects[who],
                    written_at=envelope.sent_at,
                    story=story,
                )
            )
            return write(envelope)

        oru = self.hospital.letters == "ORU"
        self.plan(at, "ORU^R01" if oru else "MDM^T02", write)
        if rng.random() < 0.07:
            self.plan(max(at, self.earliest) + timedelta(hours=rng.uniform(0.5, 3)), "ORU^R01" if oru else "MDM^T10", correct)
