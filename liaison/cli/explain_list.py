"""``liaison explain`` on many messages: one line each, then what to tell the vendor, grouped by rule."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from liaison.cli.explain_words import SEVERITIES, VERDICTS, clean, kind_in_words, plural
from liaison.finding import Finding
from liaison.hub.contracts import Verdict
from liaison.hub.explain import Explained
from liaison.rules.decision import Outcome


class ExplanationList:
    """Counts as it goes: a day's file has thousands of messages."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0
        self._verdicts: Counter[Verdict] = Counter()
        self._rules: Counter[str] = Counter()
        #: The first finding of each rule, and where it was met first.
        self._first: dict[str, tuple[Finding, str]] = {}

    def show(self, name: str, explained: Explained) -> None:
        """One message's line."""
        self._number += 1
        file = clean(Path(name).name)
        verdict = explained.taken.answer.verdict
        mark, colour, _ = VERDICTS[verdict]
        self._verdicts[verdict] += 1
        for rule in dict.fromkeys(finding.rule for finding in explained.findings):
            self._rules[rule] += 1
        for finding in explained.findings:
            self._first.setdefault(finding.rule, (finding, f"ligne {self._number}, {file}"))
        line = Text.assemble((f" {mark} ", colour), (f"{self._number:>5}  ", "dim"), f"{clean(explained.kind):<9} ")
        line.append(f"{kind_in_words(explained.kind)[:34]:<34} ")
        line.append(f"{_leaving(explained):<34} {file}", "dim")
        # A screen's line is cut, a file's is whole.
        self._console.print(line, no_wrap=True, overflow="ellipsis", soft_wrap=not self._console.is_terminal)

    def end(self) -> None:
        """What the whole says."""
        self._console.print()
        total = self._verdicts.total()
        parts = [Text(plural(total, "message"), "bold")]
        for verdict, (mark, colour, word) in VERDICTS.items():
            if number := self._verdicts[verdict]:
                parts.append(Text(f"{mark} {word.partition(' :')[0].lower()} : {number}", colour))
        self._console.print(Text("   ").join(parts))
        order = tuple(SEVERITIES)
        for rule, count in sorted(self._rules.items(), key=lambda one: (order.index(self._first[one[0]][0].severity), -one[1])):
            finding, where = self._first[rule]
            mark, colour, word = SEVERITIES[finding.severity]
            self._console.print()
            head = Text.assemble((f"{mark} {word}", colour), "  ", (f"× {count}", "bold"), "  ", (rule, "dim"))
            head.append(f"  d'abord en {finding.where} ({where})", "dim")
            self._console.print(Padding(head, (0, 0, 0, 1), expand=False))
            self._console.print(Padding(Text(finding.message), (0, 0, 0, 4), expand=False))
            if finding.remedy:
                self._console.print(Padding(Text.assemble(("→ ", colour), (finding.remedy, "italic")), (0, 0, 0, 4), expand=False))


def _leaving(explained: Explained) -> str:
    """What would leave, in a few words."""
    taken = explained.taken
    if taken.duplicate:
        return "déjà reçu"
    counts = Counter(decided.decision.outcome for decided in taken.decisions)
    told = [plural(len(taken.events), "événement")] if taken.events else []
    told += [f"{counts[Outcome.DELIVER]} à livrer"] if counts[Outcome.DELIVER] else []
    told += [f"{counts[Outcome.HOLD]} en attente"] if counts[Outcome.HOLD] else []
    told += [f"{counts[Outcome.SHADOW]} à blanc"] if counts[Outcome.SHADOW] else []
    return ", ".join(told)
