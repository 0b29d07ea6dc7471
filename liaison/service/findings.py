"""The reference page of rules: ``python -m liaison.service.findings > docs/reference/findings.md``.

Rules are declared where they are enforced, beside their clause; this page gathers them by reading the code, so that none is forgotten.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from liaison.events.types import TYPES
from liaison.rules.gates.document_flags import matrix

#: What a rule's name begins with, and what its page says above its table.
ROOMS: Mapping[str, str] = {
    "mllp": "Frames: what surrounds a message on its connection.",
    "hl7": "HL7 v2 messages.",
    "cda": "CDA documents.",
    "hprim": "HPRIM files, which are named and kept.",
    "side": "The file that goes with a PDF.",
    "document": "A document and the message that carries it.",
    "care": "What a message says against what was known before it.",
    "hub": "What the hub as a whole has to say.",
    "sender": "Senders: who may assert what.",
    "file": "Files that are explained.",
    "mail": "Mails that are read.",
    "xdm": "IHE_XDM archives that are read.",
    "pdf": "PDFs that senders embed.",
    "mssante": "The directory file.",
    "flags": "Gate: the document's MetaDMPMSS flags.",
    "gates": "Gates: identity, and followed patients.",
    "recipient": "Gate: the right recipient.",
    "routing": "Routes.",
    "letters": "Letters, at intake and at the last look.",
    "letter": "Letters that may not be built.",
    "dispatch": "Deliveries.",
    "golive": "Going live: modes, what is late, tests.",
    "export": "Conformance report: the files of an export.",
    "sequence": "Conformance report: what the messages of an export say together.",
    "silence": "Conformance report: what a feed never says.",
}

_RULE = re.compile(rf"(?:{'|'.join(ROOMS)})\.[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*")
_SHORT_NAME = re.compile(r"[a-z0-9-]+")
_SEVERITIES = {"info": "information", "information": "information", "warning": "warning", "error": "error", "fatal": "fatal"}
#: Rooms whose rules are decisions, not findings, unless a severity says otherwise.
_DECISIONS = frozenset({"flags", "gates", "recipient", "routing", "letters", "letter", "dispatch", "golive"})
_FATAL = frozenset({"NotHl7", "Hl7Error", "CdaError", "UnsafeXml", "NotXml"})
#: Where nothing is declared that the readers and the engine can say.
_SILENT = frozenset({"adapters", "cli", "demo", "events", "service"})
_SHORTEST_TEXT = 15
_TOLD_EACH_TIME = "(said in full each time)"

_INTRODUCTION = """\
# Findings and rules

<!-- Made by `python -m liaison.service.findings`: edit the rules where they are enforced, not this page. -->

Each finding names its rule, and so does each decision. A rule keeps its name for good: quote it to a software's vendor, filter on it.
`fatal` quarantines the message; `error` and `warning` make it accepted with findings; `information` changes nothing. An
`error` that leaves nothing to act on is told as `fatal`. `decision` is what a route, a gate or the dispatch decides: deliver, hold or
drop. `…` stands for a detail that the hub fills in, never a value of the message.
"""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as its declaration tells it."""

    name: str
    #: A severity, or ``decision``.
    kind: str
    message: str
    remedy: str


def rules(package: Path) -> tuple[Rule, ...]:
    """Every rule that the package declares, by name, as its fullest declaration tells it."""
    found = {row.rule: Rule(name=row.rule, kind="information", message=row.why, remedy="") for row in matrix("default") if row.rule}
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in _SILENT:
            for rule in _Module(ast.parse(path.read_text("utf-8"))).rules():
                known = found.get(rule.name)
                if rule.name not in TYPES and (
                    known is None or len(known.message + known.remedy) < len(rule.message + rule.remedy)
                ):
                    found[rule.name] = rule
    return tuple(found[name] for name in sorted(found))


def reference_page() -> str:
    """The page, as Markdown."""
    return "\n".join(_lines(rules(Path(__file__).parents[1]))) + "\n"


def _lines(every: Iterable[Rule]) -> Iterator[str]:
    yield _INTRODUCTION.rstrip("\n")
    by_room: dict[str, list[Rule]] = {}
    for rule in every:
        by_room.setdefault(rule.name.partition(".")[0], []).append(rule)
    for room, title in ROOMS.items():
        if room in by_room:
            yield f"\n## `{room}`\n\n{title}\n"
            yield "| Rule | Kind | Said | To do |"
            yield "|---|---|---|---|"
            yield from (f"| `{each.name}` | {each.kind} | {each.message} | {each.remedy} |" for each in by_room[room])


class _Module:
    """One module's syntax, with what is needed to read its declarations: named texts, and helpers that complete a rule's name."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        #: What a name was given, with the line; the last before its use counts.
        self._named: dict[str, list[tuple[int, ast.expr]]] = {}
        self._helpers: dict[str, _Helper] = {}
        #: The severity that a function of this module gives to what it makes.
        self._kinds: dict[str, str] = {}
        for node in ast.walk(tree):
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                ):
                    self._named.setdefault(name, []).append((node.lineno, value))
                case ast.FunctionDef():
                    for part in ast.walk(node):
                        if (helper := _helper(node, part)) is not None:
                            self._helpers[node.name] = helper
                        if kind := _severity(part) or ("fatal" if isinstance(part, ast.Name) and part.id in _FATAL else ""):
                            self._kinds.setdefault(node.name, kind)
                case _:
                    pass

    def rules(self) -> Iterator[Rule]:
        """The rules of this module."""
        for node in ast.walk(self._tree):
            match node:
                case ast.Call(func=function):
                    yield from self._of_call(node, function.id if isinstance(function, ast.Name) else "")
                case ast.Dict(keys=keys, values=values):
                    for key, value in zip(keys, values, strict=True):
                        name = self._text(key) if key is not None else ""
                        if _RULE.fullmatch(name) and isinstance(value, ast.Call | ast.Tuple):
                            yield self._rule(name, "", value)
                case ast.AnnAssign(value=ast.Constant(value=str() as name)) if _RULE.fullmatch(name):
                    yield self._rule(name, "", ast.Tuple(elts=[], ctx=ast.Load()))
                case _:
                    pass

    def _of_call(self, call: ast.Call, called: str) -> Iterator[Rule]:
        names = [text for text in self._texts(call) if _RULE.fullmatch(text)]
        helper = self._helpers.get(called)
        if not names and helper is not None and helper.position < len(call.args):
            short = self._text(call.args[helper.position])
            names = [f"{helper.before}{short}{helper.after}"] if _SHORT_NAME.fullmatch(short) else []
        if names and isinstance(call.func, ast.Name):
            yield self._rule(names[0], called, call)

    def _rule(self, name: str, called: str, declared: ast.Call | ast.Tuple) -> Rule:
        texts = [text for text in self._texts(declared) if len(text) >= _SHORTEST_TEXT and " " in text]
        keywords = declared.keywords if isinstance(declared, ast.Call) else []
        words = {keyword.arg: self._text(keyword.value) for keyword in keywords}
        message = words.get("message") or words.get("reason") or (texts[0] if texts else "")
        remedy = words.get("remedy") or next((text for text in texts if text != message), "")
        if not message.endswith((".", "?")) or not message.strip("…. "):
            message = _TOLD_EACH_TIME  # a part of a sentence is all that the code alone tells
        return Rule(name=name, kind=self._kind(name, called, _values(declared)), message=cell(message), remedy=cell(remedy))

    def _kind(self, name: str, called: str, values: Iterable[ast.expr]) -> str:
        if severity := next((severity for value in values if (severity := _severity(value))), ""):
            return severity
        if called in _SEVERITIES:
            return called
        if called in _FATAL:
            return "fatal"
        return "decision" if name.partition(".")[0] in _DECISIONS else self._kinds.get(called, "error")

    def _texts(self, declared: ast.Call | ast.Tuple) -> Iterator[str]:
        for value in _values(declared):
            if isinstance(value, ast.Starred) and isinstance(value.value, ast.Name):
                named = self._given(value.value)
                yield from (self._text(part) for part in (named.elts if isinstance(named, ast.Tuple) else ()))
            else:
                yield self._text(value)

    def _given(self, name: ast.Name) -> ast.expr | None:
        given = self._named.get(name.id, [])
        before = [value for line, value in given if line <= name.lineno]
        return before[-1] if before else given[0][1] if given else None

    def _text(self, value: ast.expr) -> str:
        """A text as far as the code alone tells it; empty when it is none."""
        match value:
            case ast.Constant(value=str() as text):
                return text
            case ast.Name():
                given = self._given(value)
                return "" if given is None or isinstance(given, ast.Name) else self._text(given)
            case ast.JoinedStr(values=parts):
                return "".join(self._text(part) or "…" for part in parts)
            case ast.FormattedValue(value=ast.Name() as name):
                given = self._given(name)
                return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._text(left) + self._text(right)
            case _:
                return ""


class _Helper(msgspec.Struct, frozen=True, kw_only=True):
    """A function that is given a rule's short name: what it puts around it, and the argument's position."""

    before: str
    after: str
    position: int


def _helper(function: ast.FunctionDef, part: ast.AST) -> _Helper | None:
    match part:
        case ast.JoinedStr(values=[ast.Constant(value=str() as before), ast.FormattedValue(value=ast.Name(id=name)), *rest]):
            after = rest[0].value if len(rest) == 1 and isinstance(rest[0], ast.Constant) else ""
            names = [argument.arg for argument in function.args.args]
            if before.endswith(".") and before[:-1] in ROOMS and name in names and isinstance(after, str):
                return _Helper(before=before, after=after, position=names.index(name))
        case _:
            pass
    return None


def _values(declared: ast.Call | ast.Tuple) -> tuple[ast.expr, ...]:
    if isinstance(declared, ast.Tuple):
        return tuple(declared.elts)
    return (*declared.args, *(keyword.value for keyword in declared.keywords))


def _severity(node: ast.AST) -> str:
    """The severity that an expression names: ``Severity.FATAL``, ``WARNING``, ``INFO``; empty when it names none."""
    match node:
        case ast.Attribute(attr=word) | ast.Name(id=word):
            return _SEVERITIES.get(word.lower(), "") if word.isupper() else ""
        case _:
            return ""


def cell(text: str) -> str:
    """A text as a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(reference_page())
