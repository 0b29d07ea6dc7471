"""The report as one page of HTML: nothing is fetched, no script runs, and all that comes from messages is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, cast
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from liaison.conformance.pictures import bar, stacked
from liaison.conformance.report import FieldLine, KindLine, Report, faulty_fields, number, percent
from liaison.finding import Severity
from liaison.hub.contracts import Verdict

_FOLDER: Final = Path(__file__).parent
_ZONE: Final = ZoneInfo("Europe/Paris")
SEVERITIES: Final[Mapping[Severity, str]] = {
    Severity.FATAL: "bloquant",
    Severity.ERROR: "erreur",
    Severity.WARNING: "avertissement",
    Severity.INFORMATION: "information",
}
_COLOURS: Final = {Severity.FATAL: "bad", Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFORMATION: "info"}
#: Verdict → its word and its colour, in the order of the bars.
_VERDICTS: Final[Mapping[Verdict, tuple[str, str]]] = {
    Verdict.ACCEPTED: ("accepté", "good"),
    Verdict.ACCEPTED_WITH_FINDINGS: ("accepté avec des remarques", "warn"),
    Verdict.QUARANTINED: ("non compris, sans effet", "bad"),
    Verdict.IGNORED: ("acquitté, sans emploi", "info"),
}


def stylesheet() -> str:
    """The style sheet that every page carries within itself."""
    return (_FOLDER / "page.css").read_text("utf-8")


def policy_for(css: str) -> str:
    """The Content-Security-Policy of a page: this style sheet, by its digest, a form back to where the page came from, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'self'"


def drop_page(told: str = "") -> str:
    """The page where files are dropped; ``told`` says why the last ones could not be examined."""
    css = stylesheet()
    return _environment().get_template("drop.html").render(css=Markup(css), policy=policy_for(css), told=told)


def _environment() -> jinja2.Environment:
    """Everything is escaped, and an unknown name is a fault."""
    loader = jinja2.FileSystemLoader(_FOLDER)
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters = cast(dict[str, Callable[..., object]], made.filters)
    filters.update(number=number, moment=_moment)
    return made


def page_of(report: Report) -> str:
    """The whole page."""
    css = stylesheet()
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            css=Markup(css),
            policy=policy_for(css),
            severities=SEVERITIES,
            colours=_COLOURS,
            key=tuple(_VERDICTS.values()),
            bar=bar,
            stacked=stacked,
            percent=percent,
            verdicts=_verdicts,
            conformity=_conformity,
            faulty=faulty_fields(report),
        )
    )


def _verdicts(line: KindLine) -> Markup:
    counted = [(line.verdicts.get(verdict.value, 0), word, style) for verdict, (word, style) in _VERDICTS.items()]
    words = ", ".join(f"{word} : {number(count)}" for count, word, _ in counted if count)
    return stacked([(count, style) for count, _, style in counted], words)


def _conformity(line: FieldLine) -> Markup:
    return stacked(((line.conformant, "good"), (line.concerned - line.conformant, "bad")), percent(line.conformant, line.concerned))


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(_ZONE).strftime("%d/%m/%Y à %H:%M")
