"""``liaison explain``, as its user and a script see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from liaison.cli.explain import explain

ADMISSION = (
    b"MSH|^~\\&|GAM|CH-TEST|LIAISON|PFI|20261120101500||ADT^A01^ADT_A01|7001|T|2.5^FRA^2.11|||||FRA|UNICODE UTF-8|||2.11^IHE_FRANCE-2.11-PAM\r"
    b"EVN||20261120101500||||20261120101000\r"
    b"PID|||80042^^^CH-TEST&400011177&M^PI||DARRIEUX^ODETTE^ODETTE JEANNE^^^^L||19751103|F|||1 rue des Pins^^DAX^^40100^FRA^H~^^^^^^BDL^^64102"
    b"|||||||24000006^^^CH-TEST&400011177&M^AN||||||||||||N||VALI\r"
    b"PV1||I|3010^12^1^CH-TEST&400011177&M||||||||||||||||90001^^^CH-TEST&400011177&M^VN\r"
    b"ZBE|501^GAM|20261120101000||INSERT|N||^^^^^^UF^^^3010|^^^^^^UF^^^3010|HMS\r"
)
DISCHARGE = ADMISSION.replace(b"ADT^A01^ADT_A01|7001", b"ADT^A03^ADT_A03|7002").replace(
    b"ZBE|501^GAM|20261120101000", b"ZBE|502^GAM|20261121101000"
)
QUARANTINED = ADMISSION.replace(b"|7001|", b"||")
CONFIGURATION = """\
[hub]
journal = "sqlite:///data/journal.db"
keys = "file:keys"
[sources.dax]
kind = "mllp"
listen = "127.0.0.1:2575"
finess = "400011169"
[sources.mdm]
kind = "mllp"
listen = "127.0.0.1:2576"
finess = "400011177"
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
    for name, content in (("a01.hl7", ADMISSION), ("a03.hl7", DISCHARGE), ("bad.hl7", QUARANTINED)):
        (tmp_path / name).write_bytes(content)


def run(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(explain, list(arguments), input=stdin)


def printed(*arguments: str, stdin: bytes = b"") -> Any:
    return json.loads(run("--json", *arguments, stdin=stdin).stdout)


def test_json_has_the_agreed_shape() -> None:
    one = printed("a01.hl7")
    agreed = {"kind", "verdict", "acknowledgement", "findings", "patient", "facts", "events", "documents", "decisions"}
    assert agreed <= one.keys()
    assert (one["kind"], one["verdict"], one["file"]) == ("ADT^A01", "accepted", "a01.hl7")
    assert one["acknowledgement"].keys() == {"code", "text", "errors"}
    assert {"specversion", "id", "source", "type", "subject"} <= one["events"][0].keys()
    assert {"destination", "recipient", "outcome", "reason", "rule"} <= one["decisions"][0].keys()
    assert one["events"][1]["source"] == "urn:finess:400011177"


def test_findings_and_errors_name_place_rule_and_remedy() -> None:
    one = printed("bad.hl7")
    assert one["acknowledgement"]["code"] == "AE"
    assert all(error.keys() == {"location", "code", "severity", "text"} for error in one["acknowledgement"]["errors"])
    finding = next(finding for finding in one["findings"] if finding["rule"] == "hl7.control-id-missing")
    assert finding.keys() == {"severity", "where", "rule", "message", "remedy"}
    assert finding["where"] == "MSH-10"


def test_one_message_is_an_object_and_several_are_a_list(tmp_path: Path) -> None:
    (tmp_path / "lot.hl7").write_bytes(ADMISSION + DISCHARGE)
    assert isinstance(printed("a01.hl7"), dict)
    assert [one["kind"] for one in printed("lot.hl7")] == ["ADT^A01", "ADT^A03"]
    assert [one["file"] for one in printed("a01.hl7", "a03.hl7")] == ["a01.hl7", "a03.hl7"]


def test_each_file_begins_anew_unless_told_otherwise() -> None:
    types = [[event["type"].split(".", 2)[2] for event in one["events"]] for one in printed("a01.hl7", "a03.hl7")]
    together = [[event["type"].split(".", 2)[2] for event in one["events"]] for one in printed("--together", "a01.hl7", "a03.hl7")]
    assert "identity.created.v1" in types[1]
    assert together[1] == ["stay.discharged.v1"]


def test_standard_input_is_read() -> None:
    assert printed("-", stdin=ADMISSION + DISCHARGE)[1]["events"][0]["type"] == "fr.liaison.stay.discharged.v1"


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("a01.hl7",), 0),
        (("bad.hl7",), 1),
        (("a01.hl7", "bad.hl7"), 1),
        (("none.hl7",), 2),
        ((".",), 2),
        (("bad.hl7", "none.hl7"), 2),
    ],
)
def test_the_exit_code_is_the_worst_answer(names: tuple[str, ...], code: int) -> None:
    assert run(*names).exit_code == code
    assert run("--json", *names).exit_code == code


def test_a_missing_file_has_its_object_beside_the_others() -> None:
    missing, read = printed("none.hl7", "a01.hl7")
    assert (missing["verdict"], missing["findings"][0]["rule"]) == ("refused", "file.missing")
    assert read["verdict"] == "accepted"


def test_nothing_is_written_anywhere(tmp_path: Path) -> None:
    (tmp_path / "liaison.toml").write_text(CONFIGURATION)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert run("a01.hl7", "bad.hl7").exit_code == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_configuration_decides_and_its_sources_are_told_apart_by_finess(tmp_path: Path) -> None:
    (tmp_path / "autre.toml").write_text(CONFIGURATION)
    one = printed("--config", "autre.toml", "a01.hl7")
    assert [(d["destination"], d["about"]) for d in one["decisions"]] == [("plateforme", "stay.admitted")]
    assert "Source mdm" in run("--config", "autre.toml", "a01.hl7").output
    assert "Source dax" in run("--config", "autre.toml", "--as-source", "dax", "a01.hl7").output
    (tmp_path / "liaison.toml").write_text(CONFIGURATION)
    assert [decision["destination"] for decision in printed("a01.hl7")["decisions"]] == ["plateforme"]


@pytest.mark.parametrize("arguments", [("--as-source", "x", "a01.hl7"), ("--config", "none.toml", "a01.hl7"), ()])
def test_wrong_use_is_told(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_configuration_with_faults_is_told(tmp_path: Path) -> None:
    (tmp_path / "faux.toml").write_text("[hub]\nnom = 1\n")
    result = run("--config", "faux.toml", "a01.hl7")
    assert result.exit_code == 2
    assert "ligne 2" in result.output


def test_the_page_says_all_that_an_integrator_asks() -> None:
    page = run("a01.hl7").output
    for said in ("✓ Accepté", "ADT^A01  admission d’un patient hospitalisé", "Réponse AA", "Mouvement", "création (INSERT)",
                 "DARRIEUX ODETTE", "03/11/1975", "Admission", "venue 90001", "vers platform", "Rien n'a été écrit ni envoyé"):  # fmt: skip
        assert said in page, said


def test_the_page_marks_findings_where_they_are_and_says_what_to_do() -> None:
    page = run("bad.hl7").output
    assert "✗ En quarantaine" in page
    assert "✗ bloquant  MSH-10  hl7.control-id-missing" in page
    assert "→ " in page
    assert "rien ne partirait" in page


def test_the_page_obeys_nothing_that_a_message_says(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2J.hl7").write_bytes(
        ADMISSION.replace(b"DARRIEUX", b"\x1b[31mDAR\xe2\x80\xaeRIEUX[/red]").replace(b"GAM|", b"[bold]GAM|")
    )
    page = run("\x1b[2J.hl7").output
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "[/red]" in page
    assert "[bold]GAM" in page


def test_many_messages_get_a_line_each_and_findings_by_rule(tmp_path: Path) -> None:
    numbered = [ADMISSION.replace(b"|7001|", f"|{number}|".encode()).replace(b"UNICODE UTF-8", b"LATIN") for number in range(12)]
    (tmp_path / "jour.hl7").write_bytes(b"".join(numbered))
    page = run("jour.hl7").output
    assert "12 messages" in page
    assert "× 12  hl7.charset-unknown  d'abord en MSH-18 (ligne 1, jour.hl7)" in page
    assert "Le message en clair" not in page
    assert run("--full", "jour.hl7").output.count("Le message en clair") == 12


def test_strict_adds_the_opinion_of_hl7_s_tables_beside_the_profile_s(tmp_path: Path) -> None:
    (tmp_path / "two.hl7").write_bytes(ADMISSION.replace(b"PV1||I", b"PV1||I||||||||||||||||90001\rPV1||I"))
    one = printed("--strict", "two.hl7")
    assert {"rule": "hl7.structure-repeated", "where": "PV1"}.items() <= next(
        found for found in one["structure"] if found["rule"] == "hl7.structure-repeated"
    ).items()
    assert "structure" not in printed("two.hl7")
    page = run("--strict", "two.hl7").stdout
    assert "d'après les tables de HL7" in page and "hl7.structure-repeated" in page
    assert "d'après les tables de HL7" not in run("two.hl7").stdout


def test_strict_has_nothing_to_say_of_what_is_no_hl7(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(b"bonjour")
    assert printed("--strict", "note.txt")["structure"] == []
