"""``liaison conformance``, as its user and a script see it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from litestar.testing import TestClient

from liaison.adapters.endpoint import Endpoint
from liaison.cli import conformance_listen
from liaison.cli.conformance import conformance
from liaison.cli.conformance_listen import application
from tests.conformance.feeds import BORN, GIVEN, HOSPITAL, INS, IPP, NAME, REASON, STREET, adt, moved
from tests.hub.er7 import letter_message

#: In every field where a feed might put them, right or wrong.
CANARIES = (NAME, GIVEN, BORN, INS, INS[:13], IPP, STREET, REASON)
CONFIGURATION = """\
[hub]
journal = "sqlite:///data/journal.db"
keys = "file:keys"
[sources.essai]
kind = "mllp"
listen = "127.0.0.1:2575"
finess = "400011177"
senders = ["AUTRE|CH"]
units = "uf.csv"
[destinations.plateforme]
kind = "webhook"
url = "http://127.0.0.1:9/events"
[[routes]]
events = ["stay.*"]
to = "plateforme"
patients = "all"
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.hl7").write_bytes(adt())
    (tmp_path / "bad.hl7").write_bytes(adt(MSH_10="C2", PID_32="", ZBE_1=""))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(conformance, list(arguments))


def printed(*arguments: str) -> Any:
    return json.loads(run("--json", "--workers", "1", *arguments).stdout)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("good.hl7",), 0),
        (("bad.hl7",), 1),
        (("good.hl7", "bad.hl7"), 1),
        ((".",), 1),
        (("none.hl7",), 2),
        ((), 2),
        (("good.hl7", "--source", "essai"), 2),
        (("good.hl7", "--config", "none.toml"), 2),
        (("good.hl7", "--listen", "127.0.0.1:0"), 2),
        (("--listen", "0.0.0.0:8090"), 2),
        (("--listen", "8090"), 2),
    ],
)
def test_the_exit_code_is_the_answer(arguments: tuple[str, ...], code: int) -> None:
    assert run(*arguments, "--workers", "1").exit_code == code


def test_a_folder_without_a_message_is_wrong_use_and_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "note.txt").write_text("bonjour", "utf-8")
    result = run("sub")
    assert result.exit_code == 2
    assert "note.txt n’est pas du HL7 v2" in result.output


def test_the_page_says_what_to_do_first_then_everything() -> None:
    told = run("good.hl7", "bad.hl7").stdout
    assert told.index("À faire d'abord") < told.index("Donner à chaque mouvement un identifiant dans ZBE-1")
    for title in ("Les messages, par type", "Les écarts", "L'enchaînement", "Ce que le flux dit", "Champs en écart"):
        assert title in told
    assert "hl7.identity-status-missing" in told and "bad.hl7, message 1, MSH-10 C2" in told


def test_nothing_that_a_feed_holds_is_obeyed_by_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "\x1b[31m.hl7").write_bytes(adt(MSH_10="[red]C9[/red]", PID_32=""))
    (tmp_path / "b.hl7").write_bytes(adt(MSH_3="\x1b[2J", MSH_10="\x1b[1mC8", PID_32=""))
    (tmp_path / "\x1b[32m.txt").write_bytes(b"bonjour")
    told = run(".").stdout
    assert "\x1b" not in told and "[red]C9[/red]" in told
    assert "\x1b" not in run("\x1b[32m.txt").output


def test_json_and_html_are_of_one_run(tmp_path: Path) -> None:
    said = printed("bad.hl7", "--html", "out.html")
    page = (tmp_path / "out.html").read_text("utf-8")
    assert (said["messages"], said["files"], said["summary"]["level"]) == (1, 1, "errors")
    assert page.startswith("<!DOCTYPE html>") and "hl7.zbe-identifier-missing" in page


def test_a_page_that_cannot_be_written_is_wrong_use() -> None:
    assert run("good.hl7", "--html", "nowhere/out.html").exit_code == 2


def test_a_source_lends_its_senders_and_its_units(tmp_path: Path) -> None:
    (tmp_path / "liaison.toml").write_text(CONFIGURATION, "utf-8")
    (tmp_path / "uf.csv").write_text("code;label\n3100;Cardiologie\n", "utf-8")
    said = printed("good.hl7", "--source", "essai")
    assert [line["rule"] for line in said["remarks"]] == ["sender.pair"]
    assert said["units"] == [{"code": "2111", "count": 1}]
    assert "3100" not in json.dumps(said)
    assert run("good.hl7", "--source", "autre").exit_code == 2


def everywhere() -> bytes:
    """Messages with the canaries in their places, in wrong places, and in a letter."""
    planted = f"{NAME}^{GIVEN}"
    document = base64.b64encode(f"<x>{NAME} {INS}</x>".encode()).decode()
    return b"".join(
        (
            adt(),
            adt(
                MSH_10="C2",
                PID_32="PROV",
                PID_5=f"{planted}^{GIVEN}^^^^X",
                PID_7=f"{BORN}1200",
                PID_8=NAME,
                PID_19=INS,
                PID_9=planted,
            ),
            adt(
                MSH_10="C3",
                PV1_2=NAME,
                PV1_3=planted,
                PV1_9=planted,
                PV1_44=NAME,
                PV2_3=REASON,
                PV2_12=REASON,
                ZBE_9=NAME,
                ZBE_4=GIVEN,
            ),
            adt(
                MSH_10="C4",
                ZBE_3=BORN,
                ZBE_7=f"{planted}^^^^^^^^{NAME}",
                ZBE_8=f"x^^^^^^^^^{IPP}",
                EVN_2=NAME,
                MSH_18=NAME,
                PID_32=NAME,
            ),
            adt(
                "A03", f"ZFM||{NAME}||{GIVEN}", f"ZFD|||||{NAME}", f"ZFA|{NAME}|||||||||{BORN}", MSH_10="C5", PV1_37=NAME, PID_3=INS
            ),
            adt(MSH_10="C6", MSH_9=f"{NAME}^{GIVEN}", PID_11=f"1 rue {STREET}^^DAX^^40100^100^BDL^^{STREET}"),
            adt(MSH_10="C7", PID_3=f"{IPP}^^^{HOSPITAL}^{NAME}~{INS}^^^{NAME}&1.2.250.1.213.1.4.10&ISO^INS"),
            adt("A40", f"MRG|{IPP}^^^{HOSPITAL}^PI", MSH_10="C8", without=["PV1", "ZBE"]),
            moved("A02", 9, 12, visit=IPP, ipp=INS),
            letter_message(control_id="C10", body=f"<x>{NAME}</x>"),
            adt(f"{NAME}", f"OBX|1|ED|{NAME}||^TEXT^XML^Base64^{document}", MSH_10="C11", MSH_9="ORU^R01"),
            f"MSH|^~\\&|DPI\r{NAME}|{INS}\rPID|{planted}\r".encode(),
        )
    )


def test_nothing_planted_is_told_anywhere(tmp_path: Path) -> None:
    (tmp_path / "feed.hl7").write_bytes(everywhere())
    (tmp_path / "uf.csv").write_text("code\n1\n", "utf-8")
    (tmp_path / "liaison.toml").write_text(CONFIGURATION.replace('senders = ["AUTRE|CH"]\n', ""), "utf-8")
    result = run("feed.hl7", "--json", "--html", "out.html", "--workers", "1", "--source", "essai")
    shown = {
        "json": result.output,
        "html": (tmp_path / "out.html").read_text("utf-8"),
        "terminal": run("feed.hl7", "--workers", "1", "--source", "essai").output,
    }
    assert all(len(text) > 3_000 for text in shown.values())
    told = [(where, canary) for where, text in shown.items() for canary in CANARIES if canary.casefold() in text.casefold()]
    assert told == []


# The page where files are dropped ----------------------------------------------------------------------------------------------------


def client() -> TestClient[Any]:
    return TestClient(application(Endpoint("127.0.0.1", 8090), 8090, None, None, 1), base_url="http://127.0.0.1:8090")


def test_dropped_files_get_the_report() -> None:
    with client() as browser:
        answer = browser.post("/", files=[("fichiers", ("a.hl7", adt())), ("fichiers", ("b.hl7", adt(MSH_10="C2", PID_32="")))])
    assert answer.status_code == 200
    assert "hl7.identity-status-missing" in answer.text and "b.hl7, message 1" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_every_answer_carries_a_strict_policy() -> None:
    with client() as browser:
        answers = [browser.get("/"), browser.post("/", content=b"x"), browser.get("/elsewhere")]
    assert [answer.status_code for answer in answers] == [200, 400, 404]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("name", ["jour.zip", "vide.hl7"])
def test_what_holds_no_message_is_refused_with_a_word(name: str) -> None:
    with client() as browser:
        answer = browser.post("/", files=[("fichiers", (name, b"PK\x03\x04" if name == "jour.zip" else b""))])
    assert answer.status_code == 422
    assert f"{name} est " in answer.text


def test_another_site_cannot_post_nor_lead_here() -> None:
    with client() as browser:
        files = [("fichiers", ("a.hl7", adt()))]
        assert browser.post("/", files=files, headers={"Origin": "http://evil.example"}).status_code == 403
        assert browser.post("/", files=files, headers={"Origin": "http://127.0.0.1:8090"}).status_code == 200
        assert browser.post("/", files=files, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert browser.post("/", files=files, headers={"Sec-Fetch-Site": "same-origin", "Origin": "null"}).status_code == 200
        assert browser.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_too_large_an_export_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conformance_listen, "MAX_BODY", 1_000)
    with client() as browser:
        answer = browser.post("/", files=[("fichiers", ("a.hl7", adt() * 3))])
    assert answer.status_code == 413
    assert "dépasse" in answer.text


def test_a_fault_of_ours_tells_nothing_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(NAME)

    monkeypatch.setattr(conformance_listen, "examine", fails)
    with TestClient(application(Endpoint("127.0.0.1", 8090), 8090, None, None, 1), base_url="http://127.0.0.1:8090",
                    raise_server_exceptions=False) as browser:  # fmt: skip
        answer = browser.post("/", files=[("fichiers", ("a.hl7", adt()))])
    assert answer.status_code == 500
    assert NAME not in answer.text
