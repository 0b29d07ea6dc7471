from __future__ import annotations

import io
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liaison.cda.datatypes import Code, InstanceId, Name, TimeStamp
from liaison.cda.header import Encounter, Header
from liaison.cda.narrative import Break, Cell, Footnote, Image, ListBlock, Mark, Paragraph, Section, Table, Text
from liaison.cda.parties import Actor, Organisation, Patient
from liaison.mssante.pdf import inspect_pdf
from liaison.mssante.rendering import MAX_JSON, NotRendered, french_moment, render_letter

PARIS = ZoneInfo("Europe/Paris")


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, precision: int = 12) -> TimeStamp:
    return TimeStamp(at=datetime(year, month, day, hour, minute, tzinfo=PARIS), precision=precision, has_offset=True)


HEADER = Header(
    templates=(),
    id=InstanceId(root="1.2.250.1.999.7"),
    code=Code(code="11490-0", system="2.16.840.1.113883.6.1", label="Lettre de liaison à la sortie"),
    title="Lettre de sortie de cardiologie",
    created=at(2026, 11, 20, 10, 15),
    version=2,
    patient=Patient(
        ids=(InstanceId(root="1.2.250.1.213.1.4.10", extension="279035121518989"), InstanceId(root="1.2.3", extension="IPP42")),
        birth_family="DUBOURG",
        used_family="LARRIEU",
        given_names="ANNE MARIE",
        first_given="ANNE",
        gender="F",
        birth_time=at(1979, 3, 28, precision=8),
        birthplace_cog="40192",
        birthplace_city="MONT-DE-MARSAN",
    ),
    authors=(Actor(name=Name(family="DAVID", given="Charles", suffix="DR"), specialty=Code(label="Cardiologue")),),
    custodian=Organisation(name="CH de Mont-de-Marsan"),
    recipients=(Actor(name=Name(family="BOILEAU", given="Luc", suffix="DR")),),
    encounter=Encounter(start=at(2026, 11, 10, 9, 5), stop=at(2026, 11, 20, 11, 0), place="Cardiologie"),
)


def say(text: str, *styles: str, href: str = "") -> Paragraph:
    return Paragraph(runs=(Text(text=text, styles=styles, href=href),))


def section(*blocks: Paragraph | ListBlock | Table, title: str = "Synthèse") -> Section:
    return Section(title=title, blocks=blocks)


def words(pdf: bytes) -> str:
    """The text of a PDF, by a program that knows nothing of typst."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    done = subprocess.run(["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True)
    return " ".join(done.stdout.decode().replace("\u200b", "").replace("\u00a0", " ").split())


def test_the_rendering_is_pdfa_1a_and_harmless() -> None:
    report = inspect_pdf(render_letter(HEADER, (section(say("Bonjour.")),)))
    assert (report.pdfa, report.objections, report.findings, report.pages) == ("1A", (), (), 1)


def test_it_says_who_what_when_and_for_whom() -> None:
    text = words(render_letter(HEADER, (section(say("Évolution favorable.")),), notice="Annule et remplace"))
    for said in (
        "CH de Mont-de-Marsan",
        "Cardiologie",
        "Lettre de sortie de cardiologie",
        "Établi le 20/11/2026 à 10h15",
        "Annule et remplace",
        "LARRIEU ANNE",
        "DUBOURG",
        "ANNE MARIE",
        "28/03/1979",
        "MONT-DE-MARSAN – 40192",
        "Féminin",
        "2 79 03 51 215 189 89",
        "IPP42",
        "DR Charles DAVID, Cardiologue",
        "DR Luc BOILEAU",
        "du 10/11/2026 à 09h05 au 20/11/2026 à 11h00",
        "Synthèse",
        "Évolution favorable.",
        "Document 1.2.250.1.999.7 – version 2",
        "Page 1 / 1",
    ):
        assert said in text


def test_everything_a_narrative_may_hold_is_shown() -> None:
    table = Table(
        columns=2,
        caption="Traitements",
        head=((Cell(blocks=(say("Médicament"),), heading=True), Cell(blocks=(say("Dose"),), heading=True)),),
        rows=(
            (Cell(blocks=(say("Bisoprolol"),), rowspan=2), Cell(blocks=(say("2,5 mg"),), align="right")),
            (Cell(blocks=(ListBlock(ordered=True, items=((say("matin"),),)),)),),
            (Cell(blocks=(say("Fin"),), colspan=2),),
        ),
    )
    runs = (Text(text="gras", styles=("bold", "italic", "sub")), Break(), Mark(number=1), Image(reference="#i", caption="ECG"))
    text = words(
        render_letter(
            HEADER,
            (
                Section(
                    title="Un",
                    blocks=(Paragraph(runs=runs), say("lien", href="https://exemple.fr"), say("ancre", href="#a"), table),
                    footnotes=(Footnote(number=1, runs=(Text(text="note de bas"),)),),
                    sections=(section(say("dedans"), title="Deux"),),
                ),
            ),
        )
    )
    for said in ("gras", "ECG", "lien", "Traitements", "Bisoprolol", "2,5 mg", "matin", "Fin", "note de bas", "Deux", "dedans"):
        assert said in text


HOSTILE = '#eval("1+1") *gras* _it_ $x^2$ [a] <lbl> @ref // com /* c */ \\u{41} `raw` = titre #panic() {x} ~ "q" ...'


def test_typst_markup_is_shown_as_it_is_written() -> None:
    patient = replace(HEADER.patient, birth_family=HOSTILE, used_family=HOSTILE)
    header = replace(HEADER, title=HOSTILE, patient=patient, custodian=Organisation(name=HOSTILE))
    text = words(render_letter(header, (section(say(HOSTILE), title=HOSTILE),), notice=HOSTILE))
    assert text.count(HOSTILE) >= 5


def test_a_character_without_a_font_still_gives_a_pdfa() -> None:
    report = inspect_pdf(render_letter(HEADER, (section(say("漢字 😀")),)))
    assert report.pdfa == "1B"


def test_a_word_longer_than_a_column_stays_on_the_page() -> None:
    cells = tuple(Cell(blocks=(say("x" * 300),)) for _ in range(4))
    pdf = render_letter(HEADER, (section(Table(columns=4, rows=(cells,))),))
    assert words(pdf).replace(" ", "").count("x") >= 1200
    if shutil.which("pdftotext") is not None:
        boxes = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
        right = [float(line.split('xMax="')[1].split('"')[0]) for line in boxes.splitlines() if "<word" in line]
        assert max(right) < 595


def test_tables_and_texts_beyond_measure_are_refused() -> None:
    row = tuple(Cell() for _ in range(100))
    with pytest.raises(NotRendered, match="cellules"):
        render_letter(
            HEADER,
            (
                section(),
                section(Table(columns=100, rows=(row,) * 41)),
            ),
        )
    with pytest.raises(NotRendered, match="trop long"):
        render_letter(HEADER, (section(say("x" * MAX_JSON)),))


def test_the_identity_is_on_every_page() -> None:
    pdf = render_letter(HEADER, (section(*(say("ligne " * 60) for _ in range(60))),))
    with pikepdf.open(io.BytesIO(pdf)) as read:
        pages = len(read.pages)
    text = words(pdf)
    assert pages > 2 and text.count("DUBOURG ANNE – née le 28/03/1979") == pages - 1
    assert f"Page {pages} / {pages}" in text


def test_the_same_document_gives_the_same_bytes() -> None:
    assert render_letter(HEADER, (section(say("a")),)) == render_letter(HEADER, (section(say("a")),))


def test_a_document_that_says_almost_nothing_is_laid_out_all_the_same() -> None:
    bare = Header(
        templates=(), id=InstanceId(root="1.2"), code=Code(code="x"), title="", created=None, patient=Patient(ids=()), authors=()
    )
    assert "Patient sans nom" in words(render_letter(bare, (section(say("a"), title=""),)))


@settings(max_examples=40)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_laid_out(name: str, narrative: str) -> None:
    header = replace(HEADER, title=name, patient=replace(HEADER.patient, birth_family=name))
    assert render_letter(header, (section(say(narrative), title=name),)).startswith(b"%PDF-1.4")


def test_moments_keep_the_precision_that_the_sender_gave() -> None:
    assert french_moment(at(2026, 11, 22, 8, 30)) == "22/11/2026 à 08h30"
    assert french_moment(at(2026, 11, 22, precision=8)) == "22/11/2026"
    assert french_moment(at(2026, 11, 1, precision=6)) == "11/2026"
    assert french_moment(at(2026, 1, 1, precision=4)) == "2026"


def test_the_template_folder_holds_the_template_alone() -> None:
    folder = Path(__file__).parents[2] / "liaison" / "mssante" / "template"
    assert [file.name for file in folder.iterdir()] == ["letter.typ"]
