"""Faults of the whole: what no message says alone, and what the order of messages tells.

Messages are followed in the order in which they were sent (MSH-7), those of one moment in the order of the files. A stay or a movement that began
before the export cannot be judged by it: it is counted apart, where PV1-44 or ZBE-2 says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import msgspec

from liaison.conformance.steps import Step
from liaison.conformance.tally import EXAMPLES, Example, Remark, shortened
from liaison.hl7.faults import Fault, error, information, warning
from liaison.hl7.triggers import Deed

VISIT_OF_TWO_PATIENTS = error(
    "sequence.visit-of-two-patients",
    "Un même numéro de venue sert pour deux patients, sans fusion (A40) ni réattribution (A44) entre les deux (PAM.fr §5.4.1).",
    "Ne jamais réemployer un numéro de venue (PV1-19) ; réattribuer un dossier par A44.",
)
MOVEMENT_REUSED = error(
    "sequence.movement-reused",
    "Un identifiant de mouvement (ZBE-1) déjà employé sert de nouveau dans une autre venue (PAM.fr §6.13).",
    "Donner à chaque mouvement un identifiant unique, rappelé seulement par ses corrections et son annulation.",
)
DISCHARGE_WITHOUT_ADMISSION = warning(
    "sequence.discharge-without-admission",
    "Une sortie (A03) clôt un séjour dont l’export ne porte pas l’admission, et PV1-44 ne dit pas qu’elle lui est antérieure (PAM.fr §2.2).",
    "Émettre A01 ou A04 à l’admission ; renseigner PV1-44.",
)
MOVEMENT_WITHOUT_ADMISSION = warning(
    "sequence.movement-without-admission",
    "Un mouvement touche un séjour dont l’export ne porte pas l’admission, et PV1-44 ne dit pas qu’elle lui est antérieure (PAM.fr §2.2).",
    "Émettre A01 ou A04 avant tout autre mouvement ; renseigner PV1-44.",
)
MOVEMENT_UNKNOWN = warning(
    "sequence.movement-unknown",
    "Une annulation ou une correction (Z99) vise un mouvement qu’aucun message de l’export n’insère (PAM.fr §6.13).",
    "Rappeler dans ZBE-1 l’identifiant du message qui a inséré le mouvement, avec la même autorité.",
)
MOVEMENT_LATE = warning(
    "sequence.movement-late",
    "Une annulation ou une correction (Z99) est émise avant le message qui insère le mouvement qu’elle vise (MSH-7 ; PAM.fr §5.3.2).",
    "Émettre les messages d’un séjour dans l’ordre de leur saisie.",
)
MOVEMENT_AFTER_DISCHARGE = warning(
    "sequence.movement-after-discharge",
    "Un mouvement est daté après la sortie définitive (A03) de sa venue, qu’aucun A13 n’annule (PAM.fr §2.2).",
    "Annuler la sortie (A13) avant de faire bouger le patient, ou ouvrir une nouvelle venue.",
)
ADMITTED_TWICE = warning(
    "sequence.admitted-twice",
    "Une venue déjà ouverte est admise de nouveau sous un autre mouvement, sans annulation entre les deux (PAM.fr §2.2).",
    "Corriger une admission par Z99, ou l’annuler par A11 avant de la refaire.",
)
CONTROL_ID_REUSED = warning(
    "sequence.control-id-reused",
    "Un identifiant de message (MSH-10) sert de nouveau pour un autre contenu : un renvoi ne peut être reconnu (HL7 v2.5 §2.15.9.10).",
    "Donner à chaque message un MSH-10 unique.",
)
BACK_IN_TIME = warning(
    "sequence.back-in-time",
    "Dans un même fichier, un message se dit émis plus d’une minute avant celui qui le précède (MSH-7, sinon EVN-2 ; HL7 v2.5 §2.15.9.7).",
    "Émettre les messages dans l’ordre de leur saisie ; vérifier les horloges et les fuseaux.",
)
REPEATED = information(
    "sequence.repeated",
    "Un message revient à l’identique, sous le même MSH-10 : la plateforme le reconnaît et n’en fait rien de plus.",
    "Vérifier que l’émetteur reçoit bien les acquittements.",
)
BEGUN_BEFORE = information(
    "sequence.begun-before",
    "Le séjour ou le mouvement a commencé avant l’export (PV1-44, ZBE-2) : sa suite ne peut être jugée ici.",
)
NEVER_CLOSED = information(
    "sequence.never-closed",
    "Des séjours sont encore ouverts à la fin de l’export : leurs patients sont là, ou leur sortie n’a pas été émise.",
)

#: Seconds that messages of several threads of a sender may overtake one another by.
_OVERTAKING: Final = 60.0
_ADMISSIONS: Final = frozenset({"A01", "A04"})
#: Events that say nothing of whether the patient is there.
_AHEAD: Final = frozenset({"A05", "A14"})


class _Stay(msgspec.Struct, gc=False):
    """What the steps so far say of a venue."""

    patients: frozenset[int]
    admitted: bool = False
    announced: bool = False
    #: The movement that admitted.
    by: tuple[int, ...] = ()
    #: ZBE-2 of its discharge; None while it is open.
    closed_at: float | None = None
    #: Its missing beginning was told: once is enough.
    told: bool = False


class Ledger:
    """Follows steps and gathers faults. What it keeps grows with the stays and movements of the export, not with its bytes."""

    def __init__(self) -> None:
        self._found: dict[str, Remark] = {}
        self._start = -math.inf
        self._stays: dict[int, _Stay] = {}
        #: Movement → its venue.
        self._venues: dict[int, int] = {}
        #: Movements that were inserted, and the first cancel or correction of others.
        self._inserted: set[int] = set()
        self._awaited: dict[int, Step] = {}
        self._contents: dict[int, int] = {}
        #: Absorbed patient → the one that remains.
        self._merged: dict[int, int] = {}

    def follow(self, steps: Sequence[Step]) -> list[Remark]:
        """What the steps of a whole export, given in the order of its files, are wrong in; each rule once."""
        dated = _with_times(steps)
        self._check_order(steps)
        self._start = min((step.at for step in dated if step.at), default=-math.inf)
        for step in sorted(dated, key=lambda one: (one.at, one.file, one.position)):
            if self._is_new(step):
                self._merge(step)
                if step.moves and step.visit:
                    self._move(step)
        for step in dict.fromkeys(self._awaited.values()):
            self._note(BEGUN_BEFORE if self._is_before(step.moved_at) else MOVEMENT_UNKNOWN, step)
        for stay in self._stays.values():
            if stay.admitted and stay.closed_at is None:
                self._note(NEVER_CLOSED, None)
        return list(self._found.values())

    def _note(self, fault: Fault, step: Step | None) -> None:
        remark = self._found.get(fault.rule)
        if remark is None:
            remark = self._found[fault.rule] = Remark(finding=fault.at(""), place="")
        remark.messages += 1
        if step is not None and len(remark.examples) < EXAMPLES:
            remark.examples.append(Example(file=step.file, position=step.position, control_id=shortened(step.control_id)))

    def _check_order(self, steps: Sequence[Step]) -> None:
        for _, of_file in groupby(steps, key=lambda step: step.file):
            last: dict[int, float] = {}
            for step in of_file:
                if not step.at:
                    continue
                if step.at < last.get(step.sender, -math.inf) - _OVERTAKING:
                    self._note(BACK_IN_TIME, step)
                last[step.sender] = step.at

    def _is_new(self, step: Step) -> bool:
        if not step.number:
            return True
        before = self._contents.get(step.number)
        if before is None:
            self._contents[step.number] = step.content
        elif before == step.content:
            self._note(REPEATED, step)
            return False
        else:
            self._note(CONTROL_ID_REUSED, step)
        return True

    def _merge(self, step: Step) -> None:
        if step.absorbed and step.patients:
            kept = self._resolved(step.patients[:1])
            for absorbed in self._resolved(step.absorbed) - kept:
                self._merged[absorbed] = next(iter(kept))

    def _resolved(self, patients: Iterable[int]) -> frozenset[int]:
        return frozenset(map(self._remaining, patients))

    def _remaining(self, patient: int) -> int:
        while (kept := self._merged.get(patient)) is not None:
            patient = kept
        return patient

    def _move(self, step: Step) -> None:
        stay = self._stays.get(step.visit)
        if stay is None:
            stay = self._stays[step.visit] = _Stay(frozenset(step.patients))
        elif step.patients:
            if step.event != "A44" and self._resolved(stay.patients).isdisjoint(self._resolved(step.patients)):
                self._note(VISIT_OF_TWO_PATIENTS, step)
            stay.patients = frozenset(step.patients)
        self._check_movements(step)
        if step.deed == Deed.INSERT:
            self._insert(step, stay)
        elif step.deed == Deed.CANCEL:
            _cancel(step, stay)
        elif step.deed == Deed.UPDATE and step.original == "A03" and stay.closed_at is not None:
            stay.closed_at = step.moved_at or step.at

    def _check_movements(self, step: Step) -> None:
        known = [self._venues.setdefault(movement, step.visit) for movement in step.movements]
        if any(venue != step.visit for venue in known):
            self._note(MOVEMENT_REUSED, step)
        if step.deed == Deed.INSERT:
            self._inserted.update(step.movements)
            late = [self._awaited.pop(movement) for movement in step.movements if movement in self._awaited]
            if late:
                self._note(MOVEMENT_LATE, late[0])
        elif self._inserted.isdisjoint(step.movements):
            for movement in step.movements[:1]:
                self._awaited.setdefault(movement, step)

    def _insert(self, step: Step, stay: _Stay) -> None:
        at = step.moved_at or step.at
        if step.event in _AHEAD:
            stay.announced = True
        elif step.event in _ADMISSIONS:
            if stay.admitted and stay.closed_at is None and not set(stay.by) & set(step.movements):
                self._note(ADMITTED_TWICE, step)
            stay.admitted, stay.by, stay.closed_at = True, step.movements, None
        else:
            if not stay.admitted and not stay.told and not (stay.announced and step.event in ("A06", "A07")):
                stay.told = True
                missing = DISCHARGE_WITHOUT_ADMISSION if step.event == "A03" else MOVEMENT_WITHOUT_ADMISSION
                self._note(BEGUN_BEFORE if self._is_before(step.admitted_at) else missing, step)
            if step.event == "A03":
                stay.closed_at = at
            elif stay.closed_at is not None and at > stay.closed_at and not step.historic:
                self._note(MOVEMENT_AFTER_DISCHARGE, step)
            stay.admitted = True

    def _is_before(self, at: float) -> bool:
        return 0.0 < at < self._start


def _cancel(step: Step, stay: _Stay) -> None:
    match step.event:
        case "A11" | "A38" | "A27":
            stay.admitted, stay.announced, stay.closed_at, stay.by = False, step.event == "A11", None, ()
        case "A13":
            stay.closed_at = None
        case _:
            pass


def _with_times(steps: Iterable[Step]) -> list[Step]:
    """The steps, those without a time given that of the message before them in their file."""
    dated: list[Step] = []
    file, last = -1, 0.0
    for step in steps:
        if step.file != file:
            file, last = step.file, 0.0
        last = step.at or last
        dated.append(step if step.at else msgspec.structs.replace(step, at=last))
    return dated
