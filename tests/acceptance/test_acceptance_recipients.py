"""Letters to who sent the patient and to where the patient goes; and letters that wait for their next version. On a real mail server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench.extraction import HEADER
from liaison.mssante.white_list import CHILDREN, NAMESPACE
from tests.acceptance import feed, letters
from tests.acceptance.test_acceptance_letters import Received, mails, send, to
from tests.servers.hub import Hub, MakeHub
from tests.servers.mailbox import Mailbox

RPPS, FINESS = "10100000012", "400784210"
CONFIGURATION = letters.CONFIGURATION.replace(
    'recipients = ["named"]', 'recipients = ["referrer", "destination-structure"]'
).replace('nil = "DEV935997"', 'nil = "DEV935997"\ndirectory = "annuaire.txt"\nwhite_list = "liste.xml"')


def extraction() -> str:
    """The national directory, in which these two stand."""
    rows: list[list[str]] = []
    for kind, address, rpps, structure in (("PER", letters.REFERRER, RPPS, "400000001"), ("ORG", letters.EHPAD, "", FINESS)):
        row = [""] * 31
        row[0], row[1], row[3], row[5], row[6] = kind, address, rpps, "FINESS", structure
        rows.append(row)
    return HEADER + "".join("|".join(row) + "\n" for row in rows)


def white_list(*domains: str) -> str:
    rows = "".join(
        "<Domaine>" + "".join(f"<{name}>{domain if name == 'Nom' else ''}</{name}>" for name in CHILDREN) + "</Domaine>"
        for domain in domains
    )
    return (
        f'<ListeBlancheMSSante xmlns="{NAMESPACE}"><DateDeGeneration>2026-11-21T02:00:00Z</DateDeGeneration>'
        f"<ListeDomaines>{rows}</ListeDomaines></ListeBlancheMSSante>"
    )


def hub_with_addresses(make_hub: MakeHub, configuration: str, domains: Sequence[str]) -> Hub:
    hub = make_hub(configuration)
    (hub.folder / "annuaire.txt").write_text(extraction(), "utf-8")
    (hub.folder / "liste.xml").write_text(white_list(*domains), "utf-8")
    return hub


def stay(visit: str) -> list[bytes]:
    """An admission that ROL RP says who sent, and a discharge to an EHPAD."""
    referrer = f"ROL||UC|RP|{RPPS}^DUBOS^Luc^^^^^^{feed.PS_AUTHORITY}^D^^^RPPS"
    pv1 = feed.pv1(visit=visit, discharged="20261121161500").split("|")
    pv1[37] = FINESS
    discharge = feed.message(
        feed.msh("ADT^A03^ADT_A03", "OUT"),
        "EVN||20261121161500||||20261121161500",
        letters.PERSON,
        "|".join(pv1),
        feed.zbe("0002", at="20261121161500"),
        "ZFM||8||7",
    )
    return [feed.admission("IN", person=letters.PERSON, visit=visit, movement="0001", extra=[referrer]), discharge]


async def send_all(hub: Hub, port: int, folder: Path, *messages: bytes) -> None:
    for number, message in enumerate(messages):
        file = folder / f"message-{number}.hl7"
        file.write_bytes(message)
        await send(hub, port, file)


async def test_who_sent_the_patient_and_the_ehpad_ahead_get_the_letter_once_whatever_its_control_id(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox, tmp_path: Path
) -> None:
    domains = [address.partition("@")[2].upper() for address in (letters.REFERRER, letters.EHPAD)]
    hub = hub_with_addresses(make_hub, CONFIGURATION.format(port=port, platform=platform, submission=submission), domains)
    await hub.start()
    content = letters.document(1, "N1")
    again = [feed.letter(name, content, person=letters.PERSON, visit="2600000009", to=[]) for name in ("L1", "L2")]
    await send_all(hub, port, tmp_path, *stay("2600000009"), *again)
    received = await mails(mailbox, 2)
    assert {to(received, address).envelope.rcpt_tos[0] for address in (letters.REFERRER, letters.EHPAD)} == {
        letters.REFERRER,
        letters.EHPAD,
    }
    await hub.drained()
    assert len(mailbox.mails) == 2
    status = json.loads(await hub.liaison("directory", "load", "--config", str(hub.config), "--json"))
    assert [(one["kind"], one["ok"], one["size"]) for one in status] == [("annuaire", True, 2), ("liste blanche", True, 2)]


async def test_a_domain_that_is_not_in_the_white_list_gets_nothing(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox, tmp_path: Path
) -> None:
    # The EHPAD's own domain is not listed, only the one above it: a suffix proves nothing.
    domains = [letters.REFERRER.partition("@")[2], "formation.mssante.fr"]
    hub = hub_with_addresses(make_hub, CONFIGURATION.format(port=port, platform=platform, submission=submission), domains)
    await hub.start()
    letter = feed.letter("L1", letters.document(1, "N1"), person=letters.PERSON, visit="2600000009", to=[])
    await send_all(hub, port, tmp_path, *stay("2600000009"), letter)
    counts = await hub.drained()
    (received,) = await mails(mailbox, 1)
    assert received.envelope.rcpt_tos == [letters.REFERRER] and counts["deliveries"]["held"] == 1


async def test_of_two_versions_within_the_wait_the_second_leaves_alone_though_the_hub_was_killed_in_between(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox, tmp_path: Path
) -> None:
    waits = letters.CONFIGURATION.replace('recipients = ["named"]', 'recipients = ["named"]\nwait = "15s"')
    hub = make_hub(waits.format(port=port, platform=platform, submission=submission))
    await hub.start()
    first = letters.letter(1, "N1")
    second = letters.document(2, "N1", replaces=first)
    await send_all(
        hub, port, tmp_path, feed.letter("V1", letters.document(1, "N1"), person=letters.PERSON, visit="26", to=[letters.GP])
    )
    hub.kill()
    await hub.start()
    replacing = feed.letter("V2", second, person=letters.PERSON, visit="26", to=[letters.GP], replaces=True)
    await send_all(hub, port, tmp_path, replacing)
    counts = await hub.drained(deadline=90.0)
    (received,) = await mails(mailbox, 1)
    assert isinstance(received, Received) and received.archive.document == second
    assert received.header("In-Reply-To") == "" and "ANNULE ET REMPLACE" not in received.text.get_content()
    assert counts["deliveries"]["cancelled"] == 1
