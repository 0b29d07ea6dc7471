"""The page of rules is read out of code as it is written in this project."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from liaison.service.findings import Rule, cell, reference_page, rules


def declared(folder: Path, code: str) -> tuple[Rule, ...]:
    """What is found in a package of one module, beside the rows of the flags' matrix."""
    (folder / "hl7").mkdir(exist_ok=True)
    (folder / "hl7" / "module.py").write_text(code, "utf-8")
    return tuple(rule for rule in rules(folder) if not rule.name.startswith("flags."))


def test_a_fault_gives_its_severity_its_words_and_its_remedy(tmp_path: Path) -> None:
    code = 'A = warning("hl7.late", "Le message arrive trop tard.", "Régler l’horloge du serveur.", "207")'
    (rule,) = declared(tmp_path, code)
    assert rule == Rule(
        name="hl7.late", kind="warning", message="Le message arrive trop tard.", remedy="Régler l’horloge du serveur."
    )


def test_a_finding_is_read_by_its_keywords_whatever_their_order(tmp_path: Path) -> None:
    code = 'A = Finding(remedy="Écrire autre chose.", rule="hub.odd", where="MSH-9", severity=Severity.FATAL, message="C’est étrange.")'
    (rule,) = declared(tmp_path, code)
    assert (rule.kind, rule.message, rule.remedy) == ("fatal", "C’est étrange.", "Écrire autre chose.")


def test_a_helper_that_completes_the_name_is_followed(tmp_path: Path) -> None:
    code = """
def _rule(severity, rule, message):
    return Finding(severity=severity, where="PDF", rule=f"xdm.{rule}-found", message=message)

def check():
    message = "Une empreinte ne correspond pas."
    return _rule(Severity.ERROR, "hash", message)
"""
    (rule,) = declared(tmp_path, code)
    assert rule == Rule(name="xdm.hash-found", kind="error", message="Une empreinte ne correspond pas.", remedy="")


def test_a_value_that_only_running_tells_is_shown_as_dots(tmp_path: Path) -> None:
    (rule,) = declared(tmp_path, 'A = error("hl7.long", f"Plus de {MOST} segments dans le message.")')
    assert rule.message == "Plus de … segments dans le message."


def test_a_part_of_a_sentence_is_not_given_for_the_whole(tmp_path: Path) -> None:
    (rule,) = declared(tmp_path, 'A = error("hl7.part", "La date de naissance du patient")')
    assert rule.message == "(said in full each time)"


def test_event_types_and_log_events_are_no_rules(tmp_path: Path) -> None:
    assert declared(tmp_path, 'log.info("mllp.stopped", source="a")\nchange("document.withdrawn", "Un texte assez long.")') == ()


def test_the_fullest_declaration_of_a_rule_counts(tmp_path: Path) -> None:
    code = 'A = fatal("cda.encoding", "Mauvais encodage.")\nB = fatal("cda.encoding", "Mauvais encodage du document.", "Employer UTF-8.")'
    (rule,) = declared(tmp_path, code)
    assert rule.remedy == "Employer UTF-8."


@given(message=st.text(alphabet="aé|<\n §-", min_size=20))
def test_no_text_breaks_the_table(message: str) -> None:
    assert "\n" not in cell(message) and "<" not in cell(message)
    assert cell(message).count("|") == cell(message).count("\\|")


def test_each_room_of_the_page_has_rules() -> None:
    page = reference_page()
    assert page.count("\n## `") == page.count("| Rule | Kind | Said | To do |") >= 15
