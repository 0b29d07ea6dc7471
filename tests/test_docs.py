"""The documentation says what is there: its samples are run, its links lead somewhere, its names exist, and nothing is left out."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest

import liaison
from liaison.cda.rules import RULES
from liaison.cli import reference as cli_reference
from liaison.cli.main import main
from liaison.events.types import TYPES
from liaison.finding import Finding
from liaison.hl7.faults import Fault
from liaison.hl7.triggers import TRIGGERS, Handling
from liaison.hub.contracts import Verdict
from liaison.hub.states import Work
from liaison.rules.decision import Objection
from liaison.service import findings as findings_reference
from liaison.service import triggers as triggers_reference
from liaison.service.explaining import FileExplainer
from liaison.service.kinds import DESTINATION_KINDS, SOURCE_KINDS
from liaison.service.loader import read_configuration
from liaison.sidefile.read import read_side

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "liaison"
DOCS = ROOT / "docs"
README = ROOT / "README.md"
#: Pages written by hand; the reference pages are made.
WRITTEN = sorted([README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.glob("*.md")])
PAGES = [*WRITTEN, *sorted(DOCS.glob("*/*.md"))]
FINDINGS, CLI = DOCS / "reference" / "findings.md", DOCS / "reference" / "cli.md"
TRIGGERS_PAGE = DOCS / "reference" / "triggers.md"
COMMANDS = dict(cli_reference.commands(main))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return [body for told, body in _BLOCK.findall(path.read_text("utf-8")) if told == language]


def samples(language: str) -> list[str]:
    return [body for path in WRITTEN for body in blocks(path, language)]


def prose(path: Path) -> str:
    return _BLOCK.sub("", path.read_text("utf-8"))


def shell_lines() -> list[str]:
    lines = [line for body in samples("sh") for line in body.splitlines()]
    return [line for line in lines if line.split("#")[0].strip()]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# Pages that are made ---------------------------------------------------------------------------------------------------------------


def test_the_page_of_commands_is_the_one_that_click_makes() -> None:
    assert CLI.read_text("utf-8") == cli_reference.reference_page(), "run: python -m liaison.cli.reference > docs/reference/cli.md"


def test_the_page_of_rules_is_the_one_that_the_code_makes() -> None:
    made = findings_reference.reference_page()
    assert FINDINGS.read_text("utf-8") == made, "run: python -m liaison.service.findings > docs/reference/findings.md"


def rules_that_exist() -> set[str]:
    """Rules as the running modules hold them: a second way to them, without reading any code."""
    found = {rule.finding.rule for rule in RULES}
    for room in ("hl7", "cda", "mssante", "hprim", "sidefile", "care", "mappings", "rules", "hub", "conformance"):
        for module in pkgutil.walk_packages([str(PACKAGE / room)], f"liaison.{room}."):
            if "migrations" not in module.name:
                values = vars(importlib.import_module(module.name)).values()
                found |= {value.rule for value in values if isinstance(value, Finding | Fault | Objection)}
    return found


def test_every_rule_that_a_module_declares_is_explained() -> None:
    page = FINDINGS.read_text("utf-8")
    declared = rules_that_exist()
    assert len(declared) > 150
    assert not {rule for rule in declared if f"\n| `{rule}` |" not in page}


def test_every_rule_has_words() -> None:
    rules = findings_reference.rules(PACKAGE)
    assert not [rule.name for rule in rules if not rule.message]
    assert not [rule.name for rule in rules if rule.name.startswith("hub.") and not rule.message.endswith(".")]


# Names -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [words for words, command in COMMANDS.items() if not isinstance(command, click.Group)])
def test_every_command_is_shown_on_a_page_that_people_read(words: str) -> None:
    assert any(
        words in path.read_text("utf-8") or f"`{words.removeprefix('liaison ')}`" in path.read_text("utf-8") for path in WRITTEN
    )
    assert f"`{words}`\n" in CLI.read_text("utf-8")


@pytest.mark.parametrize("kind", sorted({*SOURCE_KINDS, *DESTINATION_KINDS}))
def test_every_kind_of_adapter_is_told(kind: str) -> None:
    row = next(line for line in (DOCS / "operating.md").read_text("utf-8").splitlines() if line.startswith(f"| `{kind}` |"))
    _, as_source, as_destination = (cell.strip() for cell in row.strip("|").split("|"))
    assert bool(as_source) == (kind in SOURCE_KINDS)
    assert bool(as_destination) == (kind in DESTINATION_KINDS)


def test_every_state_of_a_delivery_is_explained_to_operators() -> None:
    page = (DOCS / "operating.md").read_text("utf-8")
    assert not {work for work in Work if f"`{work}`" not in page}


def test_every_verdict_has_its_reply() -> None:
    table = (DOCS / "connecting.md").read_text("utf-8").partition("| Verdict |")[2].partition("\n\n")[0]
    assert not {verdict for verdict in Verdict if f"\n| {verdict}" not in table}


def test_the_page_of_triggers_is_the_one_that_the_tables_make() -> None:
    made = triggers_reference.reference_page()
    assert TRIGGERS_PAGE.read_text("utf-8") == made, "run: python -m liaison.service.triggers > docs/reference/triggers.md"


def test_every_trigger_that_has_no_effect_yet_is_said() -> None:
    page = (DOCS / "connecting.md").read_text("utf-8")
    assert not {code for code, trigger in TRIGGERS.items() if trigger.handling is Handling.IGNORED and f"`{code}`" not in page}


def test_rules_and_events_that_pages_name_exist() -> None:
    known = {rule.name for rule in findings_reference.rules(PACKAGE)} | set(TYPES)
    rooms = "|".join({*findings_reference.ROOMS, "stay", "identity", "patient"})
    logged = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    for path in WRITTEN:
        for name in re.findall(rf"`((?:{rooms})\.[a-z][a-z_.-]+[a-z])`", prose(path)):
            assert name in known or f'"{name}"' in logged or name.endswith((".py", ".toml")), (
                path.name,
                name,
            )


def test_files_that_pages_name_exist() -> None:
    for path in WRITTEN:
        for name in re.findall(r"`([a-z_0-9/]+/(?:[a-z_0-9]+\.(?:py|toml|md)|))`", prose(path)):
            assert any(base.joinpath(name).exists() for base in (ROOT, PACKAGE, *PACKAGE.iterdir())), (path.name, name)


# Samples ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", samples("toml"), ids=lambda text: text.splitlines()[0])
def test_configurations_of_the_pages_load(text: str, tmp_path: Path) -> None:
    read_configuration(text, path=None, folder=tmp_path)


@pytest.mark.parametrize("text", samples("hl7"), ids=lambda text: text[:3])
def test_messages_of_the_pages_are_accepted_without_a_remark(text: str) -> None:
    later = datetime.now(UTC) + timedelta(days=1)  # the samples are of a day, and a sender ahead of its time is told
    (explained,) = FileExplainer(None, now=later).explain(text.replace("\n", "\r").encode())
    assert explained.as_json()["verdict"] == "accepted"
    assert explained.as_json()["findings"] == []


@pytest.mark.parametrize("text", samples("json"), ids=lambda text: text[:3])
def test_side_files_of_the_pages_are_taken_without_a_remark(text: str) -> None:
    findings: list[Finding] = []
    assert read_side(text.encode(), ZoneInfo("Europe/Paris"), findings) is not None
    assert findings == []


def test_there_are_samples_of_each_sort() -> None:
    assert len(samples("toml")) >= 2 and samples("hl7") and len(shell_lines()) >= 10


@pytest.mark.parametrize("line", shell_lines())
def test_commands_of_the_pages_exist(line: str) -> None:
    program, *arguments = shlex.split(line, comments=True)
    match Path(program).name:
        case "make":
            phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
            assert set(arguments) <= set(phony[0].split())
        case "liaison":
            called = max((words for words in COMMANDS if f"liaison {' '.join(arguments)} ".startswith(f"{words} ")), key=len)
            known = {option for parameter in COMMANDS[called].params for option in parameter.opts}
            assert {argument for argument in arguments if argument.startswith("--")} <= known
        case "python":
            assert arguments[0] == "-m" and importlib.util.find_spec(arguments[1]) is not None
        case _:
            pytest.fail(f"{program}: a page shows a command that no test knows")


# The house -------------------------------------------------------------------------------------------------------------------------


def test_the_tree_of_the_readme_is_the_one_on_disk() -> None:
    (tree,) = [body for body in blocks(README, "") if body.startswith("liaison/\n")]
    shown = re.findall(r"^  ([a-z0-9]+)/ ", tree, re.MULTILINE)
    there = [module.name for module in pkgutil.iter_modules(liaison.__path__) if module.ispkg]
    assert sorted(shown) == sorted(there)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    for link in _LINK.findall(prose(path)):
        if not link.startswith(("http://", "https://")):
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_pages_stay_short_enough_to_be_read() -> None:
    assert len(README.read_text("utf-8").splitlines()) < 120
    # The rows of tables are looked up, not read.
    lines = {path.name: [line for line in path.read_text("utf-8").splitlines() if line[:1] != "|"] for path in DOCS.glob("*.md")}
    assert not [name for name, read in lines.items() if len(read) > 250]
