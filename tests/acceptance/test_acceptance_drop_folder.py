"""A hospital that drops files of every sort: each is taken once, answered beside, put where it belongs, and told like a message."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from lxml import etree

from liaison.demo.letter_pdf import letter_pdf
from tests.acceptance import feed, letters
from tests.acceptance.test_acceptance_letters import Received
from tests.servers.eventually import eventually
from tests.servers.hub import MakeHub
from tests.servers.mailbox import Mailbox

CONFIGURATION = """\
[sources.ch]
kind = "folder"
path = "{drop}"
interval = 0.1
finess = "400011177"

[destinations.platform]
kind = "folder"
path = "{told}"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"
"""


def admission(number: int) -> bytes:
    person = feed.pid(ipp=f"81{number:04}", family="DEPOT", given="MARIE")
    return feed.admission(f"FILE{number}", person=person, visit=f"27{number:08}", movement=f"{number}")


async def test_files_become_events_and_are_put_away(make_hub: MakeHub, tmp_path: Path) -> None:
    drop, told = tmp_path / "drop", tmp_path / "told"
    drop.mkdir()
    told.mkdir()
    hub = make_hub(CONFIGURATION.format(drop=drop, told=told))
    await hub.start()
    (drop / "one.hl7").write_bytes(admission(1))
    (drop / "two.hl7.part").write_bytes(admission(2))
    (drop / "wrong.hl7").write_bytes(b"Bonjour, ceci n'est pas un message.")
    await eventually(lambda: (drop / "done" / "one.hl7").exists() and (drop / "refused" / "wrong.hl7").exists())
    assert "quarantaine" in (drop / "refused" / "wrong.hl7.txt").read_text("utf-8")
    assert (drop / "two.hl7.part").exists(), "it is still being written"
    (drop / "two.hl7.part").rename(drop / "two.hl7")
    await eventually((drop / "done" / "two.hl7").exists)
    assert (drop / "done" / "two.hl7").read_bytes() == admission(2)
    await hub.drained()
    messages = await hub.messages()
    verdicts = {message["control_id"]: message["verdict"] for message in messages}
    assert verdicts == {"FILE1": "accepted-with-findings", "FILE2": "accepted-with-findings", "": "quarantined"}
    events = {event for message in messages for event in message["events"]}
    assert len(events) == 4
    assert {json.loads(path.read_bytes())["id"] for path in told.iterdir()} == events
    assert await hub.stop() == 0


async def test_a_file_that_the_hub_died_on_is_taken_by_the_next_one_and_told_once(make_hub: MakeHub, tmp_path: Path) -> None:
    drop, told = tmp_path / "drop", tmp_path / "told"
    drop.mkdir()
    told.mkdir()
    hub = make_hub(CONFIGURATION.format(drop=drop, told=told))
    await hub.start()
    for number in range(200):
        (drop / f"{number:03}.hl7").write_bytes(admission(number))
    await eventually(lambda: any((drop / "done").glob("*.hl7")))
    hub.kill()
    assert len(list((drop / "done").glob("*.hl7"))) < 200
    await hub.start()
    await eventually(lambda: len(list((drop / "done").glob("*.hl7"))) == 200)
    assert {path.name for path in (drop / "done").glob("*.ack")} == {f"{number:03}.hl7.ack" for number in range(200)}
    await hub.drained()
    messages = await hub.messages()
    assert sorted(message["control_id"] for message in messages) == sorted(f"FILE{number}" for number in range(200))
    events = {event for message in messages for event in message["events"]}
    assert {json.loads(path.read_bytes())["id"] for path in told.iterdir()} == events


LETTERS = """\
[sources.ch]
kind = "folder"
path = "{drop}"
interval = 0.1
pair_wait = 0.5
finess = "400011177"

[letters]
nil = "DEV935997"

[destinations.promess]
kind = "smtp"
server = "127.0.0.1:{submission}"
tls = "none"
sender = "liaison@na.mssante.fr"
label = "CH de Mont-de-Marsan – Cardiologie"

[[routes]]
documents = ["*"]
to = "promess"
recipients = ["named"]
"""


@pytest.mark.parametrize("submission", ["aiosmtpd"], indirect=True)
async def test_letters_dropped_as_a_cda_an_archive_and_a_pdf_reach_the_gp(
    make_hub: MakeHub, tmp_path: Path, submission: int, mailbox: Mailbox, corpus: Path
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    hub = make_hub(LETTERS.format(drop=drop, submission=submission))
    await hub.start()
    documents = [letters.document(seed, "N3", address=letters.GP) for seed in (1, 2)]
    pdf = letter_pdf(letters.letter(3, "N1"))
    side = {
        "type": "34112-3",
        "date": "2026-11-20T15:00:00+01:00",
        "patient": {
            "ipp": "800042",
            "nom_naissance": "DARRIEUX",
            "premier_prenom": "ODETTE",
            "date_naissance": "1975-11-03",
            "sexe": "F",
        },
        "destinataires": [{"adresse": letters.GP, "nom": "DUPOUY", "prenom": "Claire"}],
    }
    # Names say nothing of what is in the files.
    (drop / "lettre").write_bytes(documents[0])
    (drop / "envoi.bin").write_bytes(zipped({"IHE_XDM/SUBSET01/DOC1.XML": documents[1]}))
    (drop / "cr.1").write_bytes(pdf)
    (drop / "cr.2").write_text(json.dumps(side), "utf-8")
    await eventually(lambda: len(mailbox.mails) >= 3, 60.0, what="three mails")
    await eventually(lambda: len([one for one in (drop / "done").iterdir() if one.suffix != ".ack"]) == 4)
    received = [Received(envelope) for envelope in mailbox.mails]
    assert {mail.envelope.rcpt_tos[0] for mail in received} == {letters.GP}
    carried = {mail.archive.document for mail in received}
    assert set(documents) <= carried
    (wrapped,) = carried - set(documents)
    schema = etree.XMLSchema(etree.parse(corpus / "cda-pack" / "infrastructure" / "cda" / "CDA_extended.xsd"))
    schema.assertValid(etree.fromstring(wrapped))
    assert pdf in [mail.pdf.get_content() for mail in received]
    for name in ("lettre", "envoi.bin", "cr.1"):
        answer = json.loads((drop / "done" / f"{name}.ack").read_bytes())
        assert answer["verdict"] in ("accepted", "accepted-with-findings")
    assert "DARRIEUX" not in hub.log and "lettre" not in hub.log


async def test_a_batch_of_five_with_one_bad_and_files_that_the_hub_does_not_read(make_hub: MakeHub, tmp_path: Path) -> None:
    drop, told = tmp_path / "drop", tmp_path / "told"
    drop.mkdir()
    told.mkdir()
    hub = make_hub(CONFIGURATION.format(drop=drop, told=told))
    await hub.start()
    messages = [admission(number) for number in range(1, 6)]
    messages[2] = messages[2].replace(b"PID|1||", b"PID|1|||")
    refused: dict[str, tuple[bytes, str]] = {
        "bombe.zip": (zipped({"A.XML": b" " * 60_000_000}), "xdm.bomb"),
        "evasion.zip": (zipped({"../../A.XML": b"<a/>"}), "xdm.unsafe-name"),
        "labo": (b"H|~^\\&|a.HPR||LABO||ORU|||CH||P|H2.1~C|202611200830\rP|1|800042||DEPOT~MARIE\r", "hprim.sante"),
        "courrier.txt": (b"800042\r\nDEPOT\r\nMARIE\r\n****FIN****\r\n****FINFICHIER****\r\n", "hprim.medecin"),
        "mouvements.xml": (b"<evenementsPatients xmlns='http://www.hprim.org/hprimXML' version='1.05'/>", "hprim.xml"),
        "utf16": (admission(9).decode().encode("utf-16"), "file.encoding"),
        "vide": (b"\r\n", "file.empty"),
    }
    (drop / "lot").write_bytes(b"FHS|^~\\&|GAM\rBHS|^~\\&|GAM\r" + b"".join(messages) + b"BTS|5\rFTS|1\r")
    for name, (content, _) in refused.items():
        (drop / name).write_bytes(content)
    await eventually(lambda: all((drop / "refused" / name).exists() for name in ("lot", *refused)), 60.0)
    answers = (drop / "refused" / "lot.ack").read_bytes()
    codes = [line.split(b"|")[1:3] for line in answers.split(b"\r") if line.startswith(b"MSA")]
    assert codes == [[b"AA", f"FILE{number}".encode()] for number in range(1, 6)], "a quarantined ADT is answered AA"
    assert answers.count(b"\rERR|") >= 1
    assert "1 message(s) sur 5" in (drop / "refused" / "lot.txt").read_text("utf-8")
    for name, (content, rule) in refused.items():
        assert (drop / "refused" / name).read_bytes() == content
        answer = json.loads((drop / "refused" / f"{name}.ack").read_bytes())
        assert answer["verdict"] == "quarantined" and rule in [finding["rule"] for finding in answer["findings"]], name
    await hub.drained()
    verdicts = [message["verdict"] for message in await hub.messages() if message["control_id"].startswith("FILE")]
    assert sorted(verdicts) == ["accepted-with-findings"] * 4 + ["quarantined"]
    assert not (tmp_path / "A.XML").exists()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
