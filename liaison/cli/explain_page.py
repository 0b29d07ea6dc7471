"""The page of ``liaison explain``: one message as the integrator of a hospital wants to see it. Goes to standard output only.

What a message says is data: it is put into ``Text``, never into markup, and cleaned of what a terminal would obey.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

from rich.box import ROUNDED
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from liaison.care.facts import DocumentAction, DocumentFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.patient import Patient
from liaison.care.person import Professional
from liaison.cli.explain_structure import structure_of
from liaison.cli.explain_words import (
    OUTCOMES,
    OWNERS,
    SEVERITIES,
    VERDICTS,
    WOULD,
    clean,
    day_in_words,
    kind_in_words,
    plural,
    time_in_words,
)
from liaison.events.data import StayData
from liaison.events.envelope import Event
from liaison.events.types import TYPES
from liaison.finding import Finding
from liaison.hl7.errors import Hl7Error
from liaison.hl7.message import Message
from liaison.hl7.vocabulary import DOCUMENT_FLAGS, TABLES
from liaison.hl7.words import describe, segment_name
from liaison.hub.contracts import Verdict
from liaison.hub.explain import Explained, acknowledgement_of
from liaison.hub.outbox import Decided
from liaison.rules.decision import Outcome

#: More segments than that are counted, not shown.
_MAX_SEGMENTS = 60
#: Width of a page that goes to a file or a pipe.
_PLAIN_WIDTH = 110
#: Set IDs say nothing.
_SET_ID = "Numéro"
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\[\d+\])?)?(?:\.\d+)*")
#: Where the rules about a document's flags say that they are.
_FLAGS = "OBX MetaDMPMSS/"
_ACTIONS = {DocumentAction.PUBLISH: "publié", DocumentAction.REPLACE: "remplace une version", DocumentAction.WITHDRAW: "supprimé"}
_LEVELS = {"N1": "PDF dans un CDA (N1)", "N3": "structuré (N3)"}


class ExplanationPage:
    """Pages, one after the other."""

    def __init__(self, *, strict: bool = False) -> None:
        """``strict`` adds what HL7's tables say of the structure."""
        self._strict = strict
        piped = not sys.stdout.isatty()
        self.console = Console(highlight=False, emoji=False, width=_PLAIN_WIDTH if piped else None)

    def show(self, name: str, explained: Explained) -> None:
        """One message's page; ``name`` is its file's."""
        self._header(name, explained)
        self._segments(explained)
        self._findings("Remarques", explained.findings)
        if self._strict:
            self._findings("Structure, d'après les tables de HL7", structure_of(explained))
        taken = explained.taken
        if taken.duplicate:
            self._say("Message déjà reçu à l'identique : la même réponse lui est rendue, et rien ne se passe de plus.")
            return
        if taken.patient is not None:
            self._patient(taken.patient.state)
            self._events(taken.events)
        documents = [fact for fact in explained.reading.facts if isinstance(fact, DocumentFact)]
        if documents:
            self._documents(documents)
        if taken.patient is not None:
            self._decisions(taken.decisions, taken.events)
        elif taken.answer.verdict in (Verdict.QUARANTINED, Verdict.REFUSED):
            self._say("Rien n'en est retenu et rien ne partirait.")

    def end(self, *, is_newcomer: bool) -> None:
        """What holds for all pages."""
        if is_newcomer:
            self._say(
                "Sans configuration : tous les événements vont à « platform », tous les documents à « promess » (destinataires "
                "nommés et médecin traitant). Avec la vôtre : --config FICHIER. Rien n'a été écrit ni envoyé.",
                "dim",
            )
        else:
            self._say("Rien n'a été écrit ni envoyé.", "dim")

    # Parts ------------------------------------------------------------------------------------------------------------------------

    def _header(self, name: str, explained: Explained) -> None:
        reading, answer = explained.reading, explained.taken.answer
        mark, colour, word = VERDICTS[answer.verdict]
        lines = Text.assemble((f"{mark} {word}", f"bold {colour}"), "\n", (clean(explained.kind), "bold"))
        if meaning := kind_in_words(explained.kind):
            lines.append(f"  {meaning}")
        if reading.ids.control_id:
            lines.append(f"  n° {clean(reading.ids.control_id)}", "dim")
        reply = acknowledgement_of(answer.reply)
        if reply is not None:
            lines.append("\nRéponse ", "dim").append(clean(reply.code), f"bold {'green' if reply.code in ('AA', 'CA') else 'red'}")
            lines.append(f"  {clean(reply.text)}")
            for error in reply.errors:
                lines.append(f"\n  ERR {clean(error.location)} : {clean(error.text)}", "dim")
        source = f"\nSource {reading.sender.source}"
        lines.append(
            source if reading.establishment == reading.sender.source else f"{source}, FINESS {reading.establishment}", "dim"
        )
        self.console.print()
        title = Text(clean(name), "bold")
        self.console.print(Panel(lines, title=title, title_align="left", box=ROUNDED, border_style=colour, padding=(0, 1)))

    def _segments(self, explained: Explained) -> None:
        try:
            message = Message.parse(explained.reading.raw)
        except Hl7Error:
            return
        marks = _marks(explained.findings)
        self._title("Le message en clair", _charset(message))
        grid = Table.grid(padding=(0, 1), expand=False)
        grid.add_column(justify="right", width=7, no_wrap=True)
        grid.add_column(max_width=36)
        grid.add_column(overflow="fold")
        for segment in message.segments[:_MAX_SEGMENTS]:
            place = segment.where()
            flag = DOCUMENT_FLAGS.get(segment.value(3).strip()) if segment.name == "OBX" else None
            if flag is not None and not any(key.startswith(f"{place}-") for key in marks):
                said = ", ".join(text for number, _, text in describe(segment) if number == 5)
                said_of = Text.assemble(_flag(marks, place), _flag(marks, f"{_FLAGS}{segment.value(3).strip()}"))
                grid.add_row(Text(clean(place), "bold cyan"), Text(flag), Text.assemble(clean(said), "  ", said_of))
                continue
            grid.add_row(Text(clean(place), "bold cyan"), Text(clean(segment_name(segment)), "bold"), _flag(marks, place))
            for number, label, text in describe(segment):
                if label == _SET_ID:
                    continue
                flagged = _flag(marks, f"{place}-{number}")
                value = Text.assemble(clean(text), "  ", flagged) if flagged else Text(clean(text))
                grid.add_row(Text(str(number), "dim"), Text(label, "dim"), value)
        self._indented(grid, 1)
        if left := len(message.segments[_MAX_SEGMENTS:]):
            self._say(f"… et {plural(left, 'autre')} segments.", "dim")

    def _findings(self, title: str, findings: Sequence[Finding]) -> None:
        if not findings:
            self._title(title, "aucune remarque")
            return
        order = tuple(SEVERITIES)
        ranked = sorted(findings, key=lambda finding: order.index(finding.severity))
        counts = [(SEVERITIES[severity][2], sum(one.severity is severity for one in findings)) for severity in order]
        self._title(
            f"{title}, et ce qu'il faut en dire à l'éditeur",
            ", ".join(_counted(number, word) for word, number in counts if number),
        )
        for finding in ranked:
            mark, colour, word = SEVERITIES[finding.severity]
            head = Text.assemble((f"{mark} {word}", colour), "  ", (finding.where, "bold"), "  ", (finding.rule, "dim"))
            self._indented(head, 1)
            self._indented(Text(finding.message), 4)
            if finding.remedy:
                self._indented(Text.assemble(("→ ", colour), (finding.remedy, "italic")), 4)

    def _patient(self, patient: Patient) -> None:
        self._title("Le patient")
        grid = self._grid(20)
        for label, text in _patient_rows(patient):
            grid.add_row(Text(label, "dim"), Text(clean(text)))
        self._indented(grid, 1)

    def _events(self, events: Sequence[Event]) -> None:
        if not events:
            self._title("Ce qui change", "rien de nouveau")
            return
        self._title("Ce qui change")
        grid = self._grid(20)
        for event in events:
            grid.add_row(Text(time_in_words(event.time), "dim"), _event_text(event))
        self._indented(grid, 1)

    def _documents(self, documents: Iterable[DocumentFact]) -> None:
        self._title("Les documents")
        grid = self._grid(20)
        for fact in documents:
            grid.add_row(Text(_ACTIONS[fact.action], "dim"), Text(clean(fact.title or fact.type_label), "bold"))
            kind = f"{fact.type_label} ({fact.type_code})" if fact.type_label else fact.type_code
            version = f"version {fact.version}"
            grid.add_row("", Text(clean(", ".join(part for part in (kind, _LEVELS.get(fact.level, ""), version) if part))))
            grid.add_row(
                "", Text(clean(f"créé le {time_in_words(fact.created_at)}, par {_person(fact.author) or 'un auteur sans nom'}"))
            )
            grid.add_row("", Text(clean(f"id {fact.id}"), "dim"))
        self._indented(grid, 1)

    def _decisions(self, decisions: Sequence[Decided], events: Sequence[Event]) -> None:
        if not decisions:
            self._title("Ce qui partirait", "rien" if events else "rien : rien ne change")
            return
        self._title("Ce qui partirait")
        told = {event.id: TYPES[event.type].french for event in events}
        groups: dict[tuple[str, str, Outcome, str, str], list[str]] = {}
        owners: dict[tuple[str, str, Outcome, str, str], str] = {}
        for decided in decisions:
            one = decided.decision
            # A route says the type of each event in its reason: the same answer for several events is told once.
            reason = one.reason.replace(f" {decided.about},", "") if one.rule == "routing.route" else one.reason
            if one.would is not None:
                reason += f" {WOULD[one.would.outcome].capitalize()} : {one.would.reason.replace(f' {decided.about},', '')}"
            key = (one.destination, one.recipient, one.outcome, reason, one.rule)
            groups.setdefault(key, []).append(told.get(decided.event, "") if decided.about in TYPES else "La lettre")
            owners[key] = OWNERS[one.owner]
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        for key, abouts in groups.items():
            destination, recipient, outcome, reason, rule = key
            mark, colour, word = OUTCOMES[outcome]
            head = Text.assemble(
                (", ".join(dict.fromkeys(abouts)), "bold"), (f"  {word}  ", colour), "vers ", (destination, "bold")
            )
            if recipient:
                head.append(f", à {clean(recipient)}")
            grid.add_row(Text(mark, colour), head)
            why = Text.assemble(clean(reason), (f"  {rule}", "dim"))
            if owners[key]:
                why.append(f"  À lever par {owners[key]}.", "yellow")
            grid.add_row("", why)
        self._indented(grid, 1)

    # Layout -----------------------------------------------------------------------------------------------------------------------

    def _title(self, title: str, aside: str = "") -> None:
        self.console.print()
        self.console.print(Text.assemble((title, "bold"), (f"  {aside}" if aside else "", "dim")))

    def _grid(self, width: int) -> Table:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=width)
        grid.add_column(overflow="fold")
        return grid

    def _indented(self, what: RenderableType, columns: int) -> None:
        self.console.print(Padding(what, (0, 0, 0, columns), expand=False))

    def _say(self, text: str, style: str = "") -> None:
        self.console.print()
        self.console.print(Text(text, style))


def _charset(message: Message) -> str:
    segments = plural(len(message.segments), "segment")
    return f"{segments}, lu en {message.charset.name.upper()}"


def _marks(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by the field or segment that they are about."""
    marks: dict[str, list[Finding]] = {}
    for finding in findings:
        match = _PLACE.fullmatch(finding.where)
        if match is None:
            marks.setdefault(finding.where, []).append(finding)
        else:
            segment, occurrence, field = match.groups()
            place = segment if occurrence in (None, "1") else f"{segment}[{occurrence}]"
            marks.setdefault(f"{place}-{field}" if field else place, []).append(finding)
    return marks


def _flag(marks: dict[str, list[Finding]], place: str) -> Text:
    """The findings about a place, as its marks."""
    flag = Text()
    for finding in marks.get(place, ()):
        mark, colour, _ = SEVERITIES[finding.severity]
        flag.append(f"{mark} {finding.rule.partition('.')[2]} ", colour)
    return flag


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number > 1 else ''}"


def _patient_rows(patient: Patient) -> Iterable[tuple[str, str]]:
    traits = patient.traits
    if traits is not None:
        yield "Nom de naissance", " ".join(part for part in (traits.birth_name, traits.first_given_name) if part)
        if traits.given_names and traits.given_names != traits.first_given_name:
            yield "Prénoms", traits.given_names
        used = " ".join(part for part in (traits.used_name, traits.used_given_name) if part)
        if used:
            yield "Nom utilisé", used
        sex = TABLES["0001"].get(traits.sex, "sexe non dit")
        place = f", commune {traits.birthplace_cog}" if traits.birthplace_cog else ""
        yield "Naissance", f"{day_in_words(traits.birth_date) or 'date inconnue'}{place}, {sex}"
    statuses = [TABLES["0445"].get(status, status) for status in patient.statuses]
    if statuses or patient.ins is None:
        yield "Identité", ", ".join(statuses) or "statut non dit : tenue pour non qualifiée"
    yield "INS", f"{patient.ins.matricule} ({patient.ins.oid})" if patient.ins is not None else "aucune INS qualifiée"
    for one in patient.active_identifiers:
        if one.kind is IdentifierKind.IPP:
            yield "IPP", _identifier(one)
    if patient.treating_physician is not None:
        yield "Médecin traitant", _person(patient.treating_physician)
    if patient.died:
        yield "Décès", time_in_words(patient.died_at) if patient.died_at is not None else "oui"
    if patient.confidential:
        yield "Confidentialité", "séjour ou identité protégés"


def _identifier(one: Identifier) -> str:
    return f"{one.value} ({one.authority})"


def _person(person: Professional | None) -> str:
    if person is None:
        return ""
    name = f"{person.given} {person.family}".strip()
    return f"{name} (RPPS {person.rpps})".strip() if person.rpps else name or person.local_id


def _event_text(event: Event) -> Text:
    text = Text(TYPES[event.type].french, "bold")
    if isinstance(event.data, StayData):
        stay = event.data.stay
        unit = stay.place.uf_medical_label or stay.place.uf_medical or stay.place.uf_lodging
        parts = [f"venue {stay.visit.value}", TABLES["0004"].get(stay.patient_class, ""), f"UF {unit}" if unit else ""]
        text.append("  " + clean(", ".join(part for part in parts if part)))
    if event.historic:
        text.append("  (situation passée)", "dim")
    if event.undoes:
        text.append("  (corrige ou annule un événement précédent)", "dim")
    return text
