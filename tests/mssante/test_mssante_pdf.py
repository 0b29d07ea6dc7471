from __future__ import annotations

import io
from collections.abc import Callable

import pikepdf
import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, String

from liaison.mssante.pdf import inspect_pdf

Change = Callable[[pikepdf.Pdf], None]


def plain(change: Change | None = None, **saving: object) -> bytes:
    pdf = pikepdf.new()
    pdf.add_blank_page()
    if change is not None:
        change(pdf)
    buffer = io.BytesIO()
    pdf.save(buffer, **saving)  # type: ignore[arg-type]
    return buffer.getvalue()


def rules(raw: bytes) -> set[str]:
    return {finding.rule for finding in inspect_pdf(raw).objections}


def test_a_plain_pdf_may_go_with_a_finding_that_it_is_not_pdfa() -> None:
    report = inspect_pdf(plain())
    assert report.objections == () and report.pages == 1 and report.pdfa == ""
    assert [finding.rule for finding in report.findings] == ["pdf.not-pdfa1"]


@pytest.mark.parametrize(("standard", "said"), [("a-1b", "1B"), ("a-1a", "1A"), ("a-2b", "2B")])
def test_pdfa_is_known_by_its_metadata(standard: typst.PDFStandard, said: str) -> None:
    report = inspect_pdf(typst.compile(b'#set document(title: "x")\n= x', pdf_standards=[standard], timestamp=0))
    assert report.pdfa == said and report.objections == ()
    assert bool(report.findings) == (said == "2B")


def opening(action: Dictionary) -> Change:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.OpenAction = action

    return change


def annotation(**entries: object) -> Change:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].Annots = Array([Dictionary(Type=Name.Annot, Rect=[0, 0, 9, 9], **entries)])  # type: ignore[arg-type]

    return change


def embedded(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["a.exe"] = b"MZ"


def indirect_action(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = pdf.make_indirect(Dictionary(S=Name.URI, URI=String("http://x")))


def form(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(XFA=String("<xdp/>"), Fields=Array())


def named_script(pdf: pikepdf.Pdf) -> None:
    script = Dictionary(S=Name.JavaScript, JS=String("1"))
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), pdf.make_indirect(script)])))


def page_trigger(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].AA = Dictionary(O=Dictionary(S=Name.URI, URI=String("http://x")))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (opening(Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))), "pdf.javascript"),
        (opening(Dictionary(S=Name.Launch, F=String("cmd.exe"))), "pdf.launch"),
        (opening(Dictionary(S=Name.URI, URI=String("http://x"))), "pdf.opens-address"),
        (opening(Dictionary(S=Name.GoToR, F=String("x.pdf"))), "pdf.opens-address"),
        (indirect_action, "pdf.opens-address"),
        (page_trigger, "pdf.opens-address"),
        (annotation(Subtype=Name.Link, A=Dictionary(S=Name.JavaScript, JS=String("1"))), "pdf.javascript"),
        (annotation(Subtype=Name.Link, A=Dictionary(S=Name.SubmitForm)), "pdf.form"),
        (annotation(Subtype=Name.FileAttachment), "pdf.embedded-file"),
        (annotation(Subtype=Name.RichMedia), "pdf.media"),
        (embedded, "pdf.embedded-file"),
        (form, "pdf.form"),
        (named_script, "pdf.javascript"),
    ],
)
@pytest.mark.parametrize("mode", [pikepdf.ObjectStreamMode.disable, pikepdf.ObjectStreamMode.generate])
def test_what_acts_is_objected_to_wherever_it_hides(change: Change, rule: str, mode: pikepdf.ObjectStreamMode) -> None:
    assert rule in rules(plain(change, object_stream_mode=mode))


def test_a_link_to_click_and_words_about_scripts_are_no_objection() -> None:
    assert rules(plain(annotation(Subtype=Name.Link, A=Dictionary(S=Name.URI, URI=String("https://x"))))) == set()
    assert rules(plain(annotation(Subtype=Name.Text, Contents=String("see /JavaScript and /Launch and /EF")))) == set()


def test_names_written_in_hexadecimal_are_the_same_names() -> None:
    raw = plain(opening(Dictionary(S=Name.JavaScript, JS=String("1"))), object_stream_mode=pikepdf.ObjectStreamMode.disable)
    assert rules(raw.replace(b"/JavaScript", b"/J#61vaScript").replace(b"/JS ", b"/J#53 ")) == {"pdf.javascript"}


@pytest.mark.parametrize("user", ["", "secret"])
def test_an_encrypted_pdf_is_objected_to_even_without_password(user: str) -> None:
    assert rules(plain(encryption=pikepdf.Encryption(owner="o", user=user))) == {"pdf.encrypted"}


def test_what_is_no_pdf_is_unreadable() -> None:
    assert rules(b"") == rules(b"%PDF-1.4\n%%EOF") == rules(b"MZ") == {"pdf.unreadable"}


@settings(max_examples=60)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=12))
def test_damage_never_raises(at: int, damage: bytes) -> None:
    raw = bytearray(plain(embedded))
    raw[at % len(raw) : at % len(raw) + len(damage)] = damage
    inspect_pdf(bytes(raw))
