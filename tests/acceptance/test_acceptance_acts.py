"""An operator's day: a wrong mailbox corrected, a message taken again, a letter refused, a full disk; all of it in the audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance import feed, letters
from tests.servers.eventually import eventually
from tests.servers.hub import Hub, MakeHub
from tests.servers.mailbox import Mailbox
from tests.servers.mllp import MllpConnection

NAME = "DARRIEUX"
WRONG = "claire.dupouy@medecin"


async def told(hub: Hub, *arguments: str) -> Any:
    return json.loads(await hub.liaison(*arguments, "--config", str(hub.config), "--json"))


async def lines(hub: Hub, *arguments: str) -> list[Any]:
    output = await hub.liaison(*arguments, "--config", str(hub.config), "--json")
    return [json.loads(line) for line in output.splitlines()]


def message(control_id: str, number: int, to: str) -> bytes:
    return feed.letter(control_id, letters.document(number, "N1"), person=letters.PERSON, visit=f"26000000{number:02d}", to=[to])


async def test_a_held_letter_is_corrected_and_mailed(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox, tmp_path: Path
) -> None:
    hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
    await hub.start()
    async with MllpConnection(port) as connection:
        assert (await connection.send(message("L1", 1, WRONG))).code == "AA"
        assert (await connection.send(message("L2", 2, WRONG))).code == "AA"

    first, second = await lines(hub, "held", "list")
    assert (first["what"], first["rule"], first["owner"], first["late"]) == (
        "letter",
        "recipient.malformed-address",
        "hospital",
        False,
    )
    assert NAME not in json.dumps([first, second])

    shown = await told(hub, "held", "show", first["id"], "--reason", "adresse à corriger")
    assert shown["patient"]["traits"]["birth_name"] == NAME
    assert shown["recipient"] == WRONG and shown["document"]["title"]

    reason = f"adresse confirmée par téléphone, dossier {NAME}"
    decided = await told(hub, "held", "release", first["id"], "--to", letters.GP, "--reason", reason)
    assert decided == {"delivery": first["delivery"], "work": "pending"}
    await eventually(lambda: len(mailbox.mails) == 1, 60.0, what="the corrected letter is mailed")
    assert [address.lower() for address in mailbox.mails[0].rcpt_tos] == [letters.GP.lower()]

    assert (await told(hub, "held", "reject", second["id"], "--reason", "l'établissement renverra"))["work"] == "cancelled"
    counts = await hub.drained()
    assert counts["holds"] == 0 and len(mailbox.mails) == 1
    # The hospital sends both again, with the right address: one was given, the other leaves.
    async with MllpConnection(port) as connection:
        for number in (1, 2):
            later = message(f"R{number}", number, letters.GP).replace(b"|20261120101500|", b"|20261120111500|", 1)
            assert (await connection.send(later)).code == "AA"
    await eventually(lambda: len(mailbox.mails) == 2, 60.0, what="the refused letter is mailed once it is right")
    await hub.drained()
    assert len(mailbox.mails) == 2

    acts = await lines(hub, "audit", "list", "--reason", "revue")
    assert [(one["act"], one["target"], one["outcome"]) for one in acts] == [
        ("audit.list", "", "asked"),
        ("held.reject", second["id"], "done"),
        ("held.release", first["id"], "done"),
        ("held.show", first["id"], "done"),
    ]
    assert acts[2]["reason"] == reason
    kept = b"".join(path.read_bytes() for path in hub.folder.rglob("*.db*") if path.is_file())
    assert kept and NAME.encode() not in kept


async def test_while_letters_are_stopped_they_wait_and_events_do_not(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox
) -> None:
    hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
    await hub.start()
    await told(hub, "letters", "stop", "--reason", "adresse fausse signalée")
    async with MllpConnection(port) as connection:
        assert (await connection.send(message("L1", 1, letters.GP))).code == "AA"

    async def events_left() -> bool:
        counts = (await hub.stats())["deliveries"]
        return bool(counts.get("submitted")) and counts.get("pending") == 1

    while not await events_left():
        assert mailbox.mails == []
    hub.kill()
    await hub.start()
    assert mailbox.mails == [] and (await hub.stats())["stopped"] == ["letters"]
    await told(hub, "letters", "start", "--reason", "adresse corrigée")
    await eventually(lambda: len(mailbox.mails) == 1, 60.0, what="the letter leaves")


async def test_a_message_in_quarantine_is_shown_and_taken_again_once_its_source_is_configured_right(
    make_hub: MakeHub, port: int, platform: str, mailbox: Mailbox
) -> None:
    configuration = letters.CONFIGURATION.format(port=port, platform=platform, submission=9)
    hub = make_hub(configuration)
    await hub.start()
    broken = message("Q1", 1, letters.GP).replace(b"\rPID|", b"\rPIX|")
    async with MllpConnection(port) as connection:
        assert (await connection.send(broken)).code == "AE"
    (waits,) = await lines(hub, "quarantine", "list")
    assert waits["what"] == "message" and waits["kind"].startswith("ORU")
    shown = await told(hub, "quarantine", "show", waits["id"], "--reason", "flux refusé", "--save", str(hub.folder / "saved.hl7"))
    assert (hub.folder / "saved.hl7").read_bytes() == broken and "PIX|" in shown["text"]
    counts = await hub.stats()
    assert counts["holds"] == 1


async def test_with_too_little_room_messages_are_refused_for_now_and_taken_once_there_is(
    make_hub: MakeHub, port: int, platform: str
) -> None:
    configuration = letters.CONFIGURATION.format(port=port, platform=platform, submission=9)
    full = configuration.replace("[hub]\n", "[hub]\nkeep_free = 1000000000000000\n", 1)
    hub = make_hub(full)
    await hub.start()
    async with MllpConnection(port) as connection:
        reply = await connection.send(message("L1", 1, letters.GP))
    assert reply.code == "AR" and (await hub.stats())["messages"] == 0
    assert "disk.full" in hub.log
    assert await hub.stop() == 0
    hub.config.write_text(configuration)
    await hub.start()
    async with MllpConnection(port) as connection:
        assert (await connection.send(message("L1", 1, letters.GP))).code == "AA"
