"""The page of ``liaison conformance`` on a terminal: the answer first, then what to change, worst first. Data never becomes markup."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.box import ROUNDED
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from liaison.cli.explain_words import SEVERITIES, VERDICTS, clean
from liaison.conformance.report import RemarkLine, Report, SilenceLine, faulty_fields, number, percent
from liaison.hub.contracts import Verdict

#: Width of a page that goes to a file or a pipe.
_PLAIN_WIDTH: Final = 110
#: Remarks, fields and files that a screen shows; the HTML page and the JSON have all.
_REMARKS: Final = 25
_FIELDS: Final = 20
_FILES: Final = 10
_LEVELS: Final = {"conformant": ("✓", "green"), "remarks": ("▲", "yellow"), "errors": ("✗", "red")}
_BAR: Final = 12


class ConformancePage:
    """One report on standard output."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)

    def show(self, report: Report, *, html: Path | None) -> None:
        """The whole page; ``html`` is where the full report was written."""
        self._summary(report)
        self._kinds(report)
        self._title("Les écarts, et ce qu'il faut en dire à l'éditeur", "" if report.remarks else "aucun")
        self._remarks(report.remarks, report.messages)
        self._title("L'enchaînement des messages", "" if report.sequence else "rien à signaler")
        self._remarks(report.sequence, 0)
        self._silences(report.silences)
        if report.units is not None:
            self._units(report)
        self._fields(report)
        self._unread(report)
        self._console.print()
        told = (
            f"Le rapport complet est dans {clean(str(html))}."
            if html is not None
            else "Une page à transmettre : --html rapport.html."
        )
        self._console.print(Text(f"{told} Rien n'a été gardé ni envoyé ; des valeurs, seule la forme est montrée.", "dim"))

    def _summary(self, report: Report) -> None:
        summary = report.summary
        mark, colour = _LEVELS[summary.level]
        lines = Text.assemble((f"{mark} {summary.title}", f"bold {colour}"), "\n", summary.text)
        period = f", du {report.first[:10]} au {report.last[:10]}" if report.first else ""
        lines.append(f"\n{number(report.messages)} messages, {number(report.files)} fichier(s){period}", "dim")
        for rank, todo in enumerate(summary.first, 1):
            lines.append("\n\nÀ faire d'abord" if rank == 1 else "", "bold")
            lines.append(f"\n{rank}. ").append(todo.remedy, "bold").append(f"\n   {todo.why}", "dim")
        self._console.print()
        self._console.print(
            Panel(lines, title=Text("Conformité", "bold"), title_align="left", box=ROUNDED, border_style=colour, padding=(0, 1))
        )

    def _kinds(self, report: Report) -> None:
        self._title("Les messages, par type")
        table = self._table("", "", "messages", "sans erreur ni avert.", numbers_from=2)
        told = [verdict for verdict in VERDICTS if any(line.verdicts.get(verdict.value) for line in report.kinds)]
        for verdict in told:
            table.add_column(_word(verdict), justify="right")
        for line in report.kinds:
            verdicts = (_count(line.verdicts.get(verdict.value, 0), VERDICTS[verdict][1]) for verdict in told)
            share = f"{number(line.clean)} ({percent(line.clean, line.messages)})"
            table.add_row(Text(line.kind, "bold"), line.meaning, number(line.messages), share, *verdicts)
        self._indented(table, 1)

    def _remarks(self, lines: Sequence[RemarkLine], messages: int) -> None:
        """``messages`` is what a share is of, 0 where counts are of something else."""
        for line in lines[:_REMARKS]:
            mark, colour, word = SEVERITIES[line.severity]
            head = Text.assemble((f"{mark} {word}", colour), "  ", (line.place, "bold"), "  " if line.place else "")
            head.append(f"× {number(line.count)}", "bold")
            if messages:
                head.append(f"  {percent(line.count, messages)}")
            head.append(f"  {line.rule}", "dim")
            self._console.print()
            self._indented(head, 1)
            self._indented(Text(line.message), 4)
            if line.remedy:
                self._indented(Text.assemble(("→ ", colour), (line.remedy, "italic")), 4)
            for one in line.examples:
                told = f"{clean(one.file)}, message {one.position}"
                told += f", MSH-10 {clean(one.control_id)}" if one.control_id else ""
                self._indented(Text(f"{told} : {clean(one.shape)}" if one.shape else told, "dim"), 4)
        self._left(len(lines) - _REMARKS, "autre remarque")

    def _silences(self, lines: Sequence[SilenceLine]) -> None:
        self._title("Ce que le flux dit, et ce qu'il ne dit jamais")
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=_BAR, no_wrap=True)
        grid.add_column(justify="right", width=7)
        grid.add_column(overflow="fold")
        for line in lines:
            told = Text.assemble(line.message.removesuffix("."), (f"  {number(line.among)} {line.base}", "dim"))
            if line.severity is not None:
                colour = SEVERITIES[line.severity][1]
                told.append(f"\n→ {line.remedy}", colour)
            filled = round(_BAR * line.said / line.among)
            bar = Text.assemble(("█" * filled, "cyan"), ("░" * (_BAR - filled), "dim"))
            grid.add_row(
                bar, Text("jamais", SEVERITIES[line.severity][1]) if line.severity else percent(line.said, line.among), told
            )
        self._indented(grid, 1)

    def _units(self, report: Report) -> None:
        units = report.units or ()
        self._title("UF absentes du référentiel", "" if units else "aucune")
        if units:
            self._indented(Text(", ".join(f"{clean(one.code)} ({number(one.count)})" for one in units)), 1)

    def _fields(self, report: Report) -> None:
        faulty = faulty_fields(report)
        self._title("Champs en écart", "" if faulty else "aucun")
        if not faulty:
            return
        table = self._table("", "", "", "usage", "attendu", "valué", "conforme", numbers_from=4)
        for line in faulty[:_FIELDS]:
            conformant = Text(percent(line.conformant, line.concerned), "green" if line.conformant * 2 > line.concerned else "red")
            table.add_row(
                line.kind, Text(line.place, "bold"), line.label, line.usage, number(line.due), number(line.valued), conformant
            )
        self._indented(table, 1)
        self._left(len(faulty) - _FIELDS, "autre champ")

    def _unread(self, report: Report) -> None:
        if not report.unread:
            return
        self._title("Fichiers où rien n'a été lu", number(len(report.unread)))
        for one in report.unread[:_FILES]:
            self._indented(Text.assemble(clean(one.name), (f"  {one.why}", "dim")), 1)
        self._left(len(report.unread) - _FILES, "autre fichier")

    # Layout -----------------------------------------------------------------------------------------------------------------------

    def _title(self, title: str, aside: str = "") -> None:
        self._console.print()
        self._console.print(Text.assemble((title, "bold"), (f"  {aside}" if aside else "", "dim")))

    def _left(self, count: int, what: str) -> None:
        if count > 0:
            words = " ".join(f"{word}s" if count > 1 else word for word in what.split())
            self._indented(Text(f"… et {number(count)} {words} : voir --html ou --json.", "dim"), 1)

    def _table(self, *titles: str, numbers_from: int) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for rank, title in enumerate(titles):
            table.add_column(title, justify="right" if rank >= numbers_from else "left")
        return table

    def _indented(self, what: RenderableType, columns: int) -> None:
        self._console.print(Padding(what, (0, 0, 0, columns), expand=False))


def _word(verdict: Verdict) -> str:
    return {
        Verdict.ACCEPTED: "acceptés",
        Verdict.ACCEPTED_WITH_FINDINGS: "avec remarques",
        Verdict.IGNORED: "sans emploi",
        Verdict.QUARANTINED: "non compris",
        Verdict.REFUSED: "refusés",
    }[verdict]


def _count(count: int, colour: str) -> Text:
    return Text(number(count), colour if count else "dim")
