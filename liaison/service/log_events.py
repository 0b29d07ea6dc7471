"""The reference page of log events: ``python -m liaison.service.log_events > docs/reference/log-events.md``.

What each event means and what to do stands in one table; its level and fields are read from the code that logs it, so that the page
cannot disagree with it. A test refuses an event that is not in the table, and an entry that nothing logs.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

_NOTHING: Final = "Nothing."
_ASK_FOR_HELP: Final = "A fault of ours on one thing: nothing is lost; report it with the line."


class Meaning(msgspec.Struct, frozen=True):
    """One named event."""

    #: When it is logged.
    when: str
    #: What to do about it.
    remedy: str = _NOTHING


#: Every event that a hub logs. Never a value of a message, a name, or an address of a patient.
EVENTS: Final[Mapping[str, Meaning]] = {
    "address_file.refused": Meaning(
        "A new directory or white list is not used, for the `reason` given; the last good one stays.", "Fetch the file again."
    ),
    "alert.ended": Meaning("A trouble is over, and was for as long as it takes to believe it."),
    "alert.not_told": Meaning(
        "A mail or post about an alert was not taken; it is tried again.", "Check `[alerts]`: server, address, token."
    ),
    "alert.started": Meaning(
        "Something is wrong with the hub; told once.", "See [watching a hub](../watching.md), under its kind."
    ),
    "api.enrolled": Meaning("The platform enrolled somebody into a list."),
    "api.fault": Meaning("A call of the platform ended in a fault; it was answered 500.", _ASK_FOR_HELP),
    "api.left": Meaning("The platform let somebody leave a list."),
    "api.not_committed": Meaning("A call could not be written; it was answered 503 and comes again.", "Check the journal's disk."),
    "api.refused": Meaning("A call without the right token.", "Check who that is."),
    "certificate.ended": Meaning("A certificate of the configuration is over.", "Renew it now; its connections fail."),
    "certificate.ends": Meaning("A certificate ends within 60, 30 or 7 days; told once for each.", "Order the next one."),
    "control.act": Meaning("An operator acts on the hub; the audit says why."),
    "control.act_cut_off": Meaning("The hub stopped before an act ended.", "Look at what became of it; ask again if need be."),
    "control.act_failed": Meaning("An act ended in a fault.", _ASK_FOR_HELP),
    "control.audit_failed": Meaning("An act could not be written to the audit, and was not done.", "Check the journal's disk."),
    "control.connection_lost": Meaning("An operator's command ended before its answer."),
    "delivery.adapter_fault": Meaning("An attempt ended in an exception; it counts as uncertain and is repeated.", _ASK_FOR_HELP),
    "delivery.not_made": Meaning(
        "An attempt came to nothing; at most a line a minute and destination, `attempts` counts those since the last.",
        "Look when it lasts: `liaison check` tries the destination.",
    ),
    "delivery.parcel_fault": Meaning("A parcel could not be made; the delivery is held.", _ASK_FOR_HELP),
    "directory.taken": Meaning("A directory is in use from now on."),
    "disk.free_again": Meaning("There is room on the journal's disk again; messages are taken."),
    "disk.full": Meaning("Less than `keep_free` is left on the journal's disk; messages are refused.", "Make room."),
    "disk.unreadable": Meaning("The file system does not say how much room is left.", "Check the journal's disk."),
    "dispatch.command_failed": Meaning("A claim or a settlement could not be written; the lane is tried again.", _ASK_FOR_HELP),
    "dispatch.commit_unknown": Meaning("Nobody can say whether a claim or settlement is on the disk.", "Check the journal's disk."),
    "dispatch.fault": Meaning("A worker met something unforeseen in one lane, and goes on.", _ASK_FOR_HELP),
    "dispatch.part_ended": Meaning("A part of dispatch ended though nobody stopped it; it runs again.", _ASK_FOR_HELP),
    "dispatch.relay_failed": Meaning(
        "The journal could not be asked for lanes that are due; asked again.", "Check the journal's disk."
    ),
    "erasure.done": Meaning("A patient was erased; the figures say what went."),
    "folder.file_gone": Meaning("A claimed file was taken away before it was read.", "Check that nobody else works in the folder."),
    "folder.file_put_off": Meaning("The hub refused a file for now; it stays claimed.", "Check the disk."),
    "folder.file_refused": Meaning(
        "A file was put into `errors`, with the reason beside it.", "Read the reason, correct, drop it again."
    ),
    "folder.receive_failed": Meaning("A file could not be taken; it has its turn again.", "Check the journal's disk."),
    "folder.unreadable": Meaning("The folder cannot be listed.", "Check the mount and its rights."),
    "folder.watching": Meaning("A folder is looked at from now on."),
    "follow.ended": Meaning("An enrolment came to its end by itself; `list` is its list."),
    "follow.failed": Meaning(
        "One step for followed patients could not be written; it is tried again.", "Check the journal's disk."
    ),
    "follow.fault": Meaning("Looking for what is due for followed patients failed; it is tried again.", _ASK_FOR_HELP),
    "hold.clock_failed": Meaning("The clock of holds could not look; it looks again in a minute.", "Check the journal's disk."),
    "hold.escalated": Meaning("A hospital did not decide in time; the GCS has to.", "Decide: `liaison held list`."),
    "hub.clock_behind_journal": Meaning("The clock is before what the journal holds; times go on from there.", "Check NTP."),
    "hub.clock_followed": Meaning("After a step of the clock, deliveries that were due much later are due again."),
    "hub.clock_not_followed": Meaning("After a step of the clock, due times could not be mended; tried again.", "Restart the hub."),
    "hub.clock_stepped": Meaning("The machine's clock was set by `seconds`.", "Check NTP."),
    "hub.stopped": Meaning("The hub has stopped, everything committed."),
    "intake.failed": Meaning("A message could not be taken as it is; it is kept whole, in quarantine.", _ASK_FOR_HELP),
    "journal.batch_failed": Meaning(
        "A batch was rolled back, and is redone one by one.", "Look when it lasts: check the journal's disk."
    ),
    "journal.checkpoint_busy": Meaning("The log could not be copied now; tried again."),
    "journal.checkpoint_failed": Meaning("The log could not begin again; tried again.", "Look when it lasts: the log grows."),
    "journal.rollback_failed": Meaning("A failed batch could not be rolled back.", "Check the journal's disk; restart the hub."),
    "mllp.answers_not_read": Meaning(
        "A peer does not read its answers; its connection is closed.", "Tell the peer's software team."
    ),
    "mllp.connected": Meaning("A connection to a destination was made."),
    "mllp.connection_aged": Meaning("A connection reached `max_age` and was closed; the peer connects again."),
    "mllp.connection_closed": Meaning("A peer left; `answered` counts its messages."),
    "mllp.connection_idle": Meaning("A connection that said nothing for `max_idle` was closed; the peer connects again."),
    "mllp.connection_opened": Meaning("A peer connected."),
    "mllp.connection_refused": Meaning("A peer may not connect, for the `reason` given.", "Check `allow`, or who that is."),
    "mllp.connections_full": Meaning(
        "`max_connections` is reached: connections are refused, or idle ones closed for others.", "Check who connects."
    ),
    "mllp.drain_incomplete": Meaning("Connections were still busy when the hub had to stop; their messages come again."),
    "mllp.frame_unfinished": Meaning(
        "A message began and did not end in time; what came is kept.", "Check the network and the peer."
    ),
    "mllp.listening": Meaning("A source listens."),
    "mllp.noise": Meaning("Bytes outside frames; told once a connection.", "If they look like HL7, the peer's framing is wrong."),
    "mllp.not_kept": Meaning("What came of a broken frame could not be kept.", "Check the journal's disk."),
    "mllp.oversize": Meaning(
        "A message exceeds `max_message`; answered AE, its beginning is kept.", "Raise `max_message` if it is due."
    ),
    "mllp.peer_certificate_ended": Meaning(
        "A peer's certificate ended while it was connected; its connection is closed.",
        "The peer must renew it before it comes back.",
    ),
    "mllp.peer_certificate_ends": Meaning("A peer showed a certificate that ends within 60 days.", "Tell the peer to renew it."),
    "mllp.receive_failed": Meaning(
        "A message could not be answered; the peer gets silence and sends it again.", "Check the journal's disk."
    ),
    "mllp.stopped": Meaning("A source has stopped listening."),
    "mllp.too_noisy": Meaning("Noise exceeds `max_noise`; the connection is closed.", "Check who connects."),
    "mllp.truncated": Meaning(
        "A connection ended inside a message; what came is kept.", "Check the network; the peer sends it again."
    ),
    "monitor.listening": Meaning("Health and metrics are answered."),
    "monitor.not_listening": Meaning(
        "The default address of `[monitor]` is taken; the hub goes on without.", "Give `[monitor] listen` another port."
    ),
    "reader.not_started": Meaning("The reader process could not be started; tried again.", "Check memory and process limits."),
    "reader.replaced": Meaning("The reader process died or hung; the message to blame is in quarantine.", "Look at that message."),
    "reading.failed": Meaning("A message could not be read; it is kept whole, in quarantine.", _ASK_FOR_HELP),
    "retention.pass_done": Meaning("What was too old was taken out."),
    "retention.pass_failed": Meaning("Taking out what is too old failed; tried again.", "Check the journal's disk."),
    "smtp.connected": Meaning("A connection to a mail server was made."),
    "units.not_saved": Meaning("The list of unmapped units could not be written; tried again.", "Check the journal's folder."),
    "watch.failed": Meaning(
        "The hub could not look at itself or write what it saw; told once while it lasts.", "Check the journal's disk."
    ),
    "white_list.taken": Meaning("A white list is in use from now on."),
    "workers.replaced": Meaning("A worker process died or took too long; its letter is held.", "Look at that letter."),
}

_LEVELS: Final = frozenset({"debug", "info", "warning", "error", "critical", "exception"})

_NAME: Final = re.compile(r"[a-z]+\.[a-z_]+")

_INTRODUCTION = """\
# Log events

<!-- Made by `python -m liaison.service.log_events`: edit the table there, not this page. -->

A hub logs JSON lines on standard error: `event`, `level`, `timestamp`, and the fields below. `source` and `destination` are names of the
configuration, `peer` an address and port, `error` the type of an exception. Nothing in a line names a patient. Levels: `info` is the
life of a hub; `warning` is unexpected, and nothing is lost; `error` needs a person when it lasts.
"""


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """One event as the code logs it."""

    name: str
    level: str
    fields: frozenset[str]


def logged(package: Path) -> dict[str, Logged]:
    """Every event that the code of ``package`` logs, by name."""
    found: dict[str, Logged] = {}
    frames = _rules(package / "hl7" / "framing.py")
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_bytes())
        for each in _of_module(tree, frames):
            known = found.get(each.name)
            fields = each.fields if known is None else each.fields | known.fields
            found[each.name] = Logged(name=each.name, level=each.level, fields=fields)
    return found


def _of_module(tree: ast.Module, frames: frozenset[str]) -> Iterator[Logged]:
    """The module's own calls of ``log``, and those that a function makes with the name that it was given."""
    #: Functions that log what they are called with: level, and fields of their own.
    tellers: dict[str, tuple[str, frozenset[str]]] = {}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for _ in range(3):  # tellers that call tellers
        for function in functions:
            given = {argument.arg for argument in function.args.args}
            for call, level, own in _calls(function, tellers):
                first = call.args[0]
                if isinstance(first, ast.Name) and first.id in given:
                    tellers[function.name] = level, own | _fields(call)
    for call, level, own in _calls(tree, tellers):
        first = call.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield Logged(name=first.value, level=level, fields=own | _fields(call))
        elif isinstance(first, ast.Attribute) and first.attr == "rule":
            for name in frames:
                yield Logged(name=name, level=level, fields=own | _fields(call))
        else:
            for name in _assigned(tree, ast.unparse(first)):
                yield Logged(name=name, level=level, fields=own | _fields(call))


def _assigned(tree: ast.AST, target: str) -> Iterator[str]:
    """The names of events that a variable or an attribute is ever given in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(ast.unparse(each) == target for each in node.targets):
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and _NAME.fullmatch(part.value):
                    yield part.value


def _calls(tree: ast.AST, tellers: Mapping[str, tuple[str, frozenset[str]]]) -> Iterator[tuple[ast.Call, str, frozenset[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "log" and node.func.attr in _LEVELS:
                yield node, node.func.attr, frozenset()
            elif isinstance(owner, ast.Name) and owner.id == "self" and node.func.attr in tellers:
                yield node, *tellers[node.func.attr]


def _fields(call: ast.Call) -> frozenset[str]:
    return frozenset(keyword.arg for keyword in call.keywords if keyword.arg is not None)


def _rules(path: Path) -> frozenset[str]:
    """The rules by which frames are given up: each is logged under its own name."""
    return frozenset(
        node.value.value
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.keyword) and node.arg == "rule" and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
    )


def reference_page() -> str:
    """The page, as Markdown."""
    found = logged(Path(__file__).parents[1])
    lines = [_INTRODUCTION]
    rooms = dict.fromkeys(name.partition(".")[0] for name in sorted(EVENTS))
    for room in rooms:
        lines += [f"## {room}\n", "| Event | Level | Fields | When | What to do |", "|---|---|---|---|---|"]
        for name in sorted(EVENTS):
            if name.partition(".")[0] == room and (each := found.get(name)) is not None:
                meaning = EVENTS[name]
                fields = ", ".join(f"`{field}`" for field in sorted(each.fields))
                lines.append(f"| `{name}` | {each.level} | {fields} | {meaning.when} | {meaning.remedy} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(reference_page())
