"""The control socket of a hub that runs in this process."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import sqlite3
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liaison.hub.journal.records import AuditRecord
from liaison.service import control
from liaison.service.act import Act, Call, FolderOf, Nothing, Operator, control_path
from liaison.service.control import ACTS, MAX_REQUEST
from liaison.service.loader import read_configuration
from liaison.service.running import RunningHub

CONFIGURATION = """\
[hub]
journal = "sqlite:///a-folder-{deep}/journal.db"
keys = "file:keys"
[sources.ch]
kind = "memory"
finess = "400011177"
[sources.both]
kind = "memory"
finess = "400011177"
[destinations.both]
kind = "memory"
[destinations.platform]
kind = "memory"
"""
LOGIN = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncGenerator[RunningHub]:
    """A hub whose socket's path is longer than a Unix socket's may be."""
    text = CONFIGURATION.format(deep="x" * 120)
    async with RunningHub(read_configuration(text, path=None, folder=tmp_path)) as running:
        yield running


def socket_of(hub: RunningHub) -> Path:
    return control_path(hub.configuration.journal_path)


async def connect(hub: RunningHub) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    with FolderOf(socket_of(hub)) as name:
        return await asyncio.open_unix_connection(name)


async def ask(hub: RunningHub, request: object) -> dict[str, Any]:
    """One request, one answer."""
    reader, writer = await connect(hub)
    try:
        writer.write((request if isinstance(request, bytes) else json.dumps(request).encode()) + b"\n")
        answer: dict[str, Any] = json.loads(await reader.readline())
        return answer
    finally:
        writer.close()


def audited(hub: RunningHub) -> tuple[AuditRecord, ...]:
    return hub.journal.reader.audit()


def test_every_act_is_under_its_own_name_and_says_what_it_is_about() -> None:
    for name, act in ACTS.items():
        assert act.name == name
        assert not act.target or act.target in act.arguments.__struct_fields__
        assert act.needs_reason or not act.shows_health_data, "who sees health data says why"
        assert act.arguments.__struct_config__.forbid_unknown_fields


async def test_an_act_takes_effect_and_is_in_the_audit_with_its_reason_sealed(hub: RunningHub) -> None:
    asked = {"act": "pause", "arguments": {"name": "platform"}, "reason": "panne annoncée par Mme DARRIEUX"}
    answer = await ask(hub, asked)
    assert answer == {"answer": "done", "result": {"switch": "destination/platform", "stopped": True, "changed": True}}
    assert hub.switches.stopped("destination/platform")
    (noted,) = audited(hub)
    assert (noted.operator, noted.act, noted.target, noted.outcome) == (LOGIN, "pause", "platform", "done")
    assert noted.reason == asked["reason"]
    kept = b"".join(path.read_bytes() for path in hub.configuration.journal_path.parent.glob("journal.db*") if path.is_file())
    assert b"DARRIEUX" not in kept and b"platform" in kept


async def test_the_socket_is_for_its_owner_only(hub: RunningHub) -> None:
    assert stat.S_IMODE(socket_of(hub).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"not json", id="not JSON"),
        pytest.param(b"[]", id="not an object"),
        pytest.param({"act": "pause", "arguments": {"name": "platform"}}, id="no reason"),
        pytest.param({"act": "pause", "arguments": {"name": "platform"}, "reason": "  x  "}, id="hardly a reason"),
        pytest.param({"act": "pause", "arguments": {"name": "platform"}, "reason": "x" * 501}, id="a long reason"),
        pytest.param({"act": "pause", "arguments": {"name": 1}, "reason": "essai"}, id="another type"),
        pytest.param({"act": "pause", "arguments": {"nom": "platform"}, "reason": "essai"}, id="unknown argument"),
        pytest.param({"act": "pause", "arguments": [], "reason": "essai"}, id="arguments of another shape"),
        pytest.param({"act": "explode", "reason": "essai"}, id="unknown act"),
        pytest.param(b'{"act":"' + b"x" * MAX_REQUEST, id="too long"),
    ],
)
async def test_what_cannot_be_understood_is_told_and_nothing_is_done(hub: RunningHub, request_: object) -> None:
    answer = await ask(hub, request_)
    assert (answer["answer"], answer["why"]) == ("not", "usage") and answer["message"]
    assert audited(hub) == () and not hub.switches.stopped("destination/platform")


async def test_an_act_that_is_refused_is_in_the_audit_and_what_was_typed_is_not(hub: RunningHub) -> None:
    for name in ("279035121518989", "both"):
        answer = await ask(hub, {"act": "pause", "arguments": {"name": name}, "reason": "essai"})
        assert answer["why"] == "usage"
    assert [(noted.target, noted.outcome) for noted in audited(hub)] == [("both", "refused"), ("", "refused")]
    answer = await ask(hub, {"act": "pause", "arguments": {"name": "both", "kind": "source"}, "reason": "essai"})
    assert answer["result"]["switch"] == "source/both"


async def test_an_act_that_fails_is_in_the_audit_before_and_tells_nothing_of_its_fault(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[AuditRecord, ...]] = []

    async def fail(hub: RunningHub, _arguments: Nothing, _call: Call) -> object:
        seen.append(audited(hub))
        raise RuntimeError("DARRIEUX")

    monkeypatch.setattr(control, "ACTS", {"fail": Act(name="fail", arguments=Nothing, run=fail, needs_reason=False)})
    answer = await ask(hub, {"act": "fail"})
    assert (answer["answer"], answer["why"]) == ("not", "fault") and "DARRIEUX" not in answer["message"]
    assert [noted.outcome for noted in seen[0]] == ["asked"]
    assert [noted.outcome for noted in audited(hub)] == ["failed"]


async def test_several_acts_go_one_after_the_other_on_one_connection(hub: RunningHub) -> None:
    reader, writer = await connect(hub)
    for act, stopped in (("pause", True), ("resume", False)):
        writer.write(msgspec.json.encode({"act": act, "arguments": {"name": "ch"}, "reason": "essai"}) + b"\n")
        assert json.loads(await reader.readline())["result"] == {"switch": "source/ch", "stopped": stopped, "changed": True}
    writer.close()


async def test_who_only_connects_keeps_no_hub_from_stopping_and_the_socket_goes_with_it(tmp_path: Path) -> None:
    configuration = read_configuration(CONFIGURATION.format(deep="x"), path=None, folder=tmp_path)
    socket_path = control_path(configuration.journal_path)
    async with RunningHub(configuration) as hub:
        reader, writer = await connect(hub)
        writer.write(b"{}\n")
        assert await reader.readline()
    assert await reader.read() == b""
    writer.close()
    assert not socket_path.exists()


async def test_a_socket_that_a_dead_hub_left_is_replaced_and_what_is_stopped_stays_so(tmp_path: Path) -> None:
    configuration = read_configuration(CONFIGURATION.format(deep="x"), path=None, folder=tmp_path)
    async with RunningHub(configuration) as hub:
        await ask(hub, {"act": "letters", "arguments": {"stopped": True}, "reason": "essai"})
    control_path(configuration.journal_path).touch()
    async with RunningHub(configuration) as hub:
        assert hub.switches.stopped("letters")
        answer = await ask(hub, {"act": "letters", "arguments": {"stopped": False}, "reason": "essai"})
        assert answer["result"]["changed"] is True
    with sqlite3.connect(configuration.journal_path) as connection:
        assert connection.execute("SELECT count(*) FROM audit WHERE outcome = 'done'").fetchone() == (2,)
    connection.close()


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        (Operator(login="liaison"), "liaison"),
        (Operator(login="marie", session="marie"), "marie"),
        (Operator(login="liaison", session="marie"), "marie (liaison)"),
    ],
)
def test_an_operator_is_named_by_the_session_that_they_opened(operator: Operator, name: str) -> None:
    assert operator.name == name
