from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.cda.narrative import (
    MAX_CELLS,
    Block,
    Break,
    Image,
    ListBlock,
    Mark,
    NarrativeTooLarge,
    Paragraph,
    Run,
    Section,
    Table,
    Text,
    read_narrative,
)
from liaison.cda.xml import CdaError, parse


def document(text: str, inner: str = "") -> bytes:
    section = f'<section><code code="10183-2"/><title>Traitements</title><text>{text}</text>{inner}</section>'
    body = f"<component><structuredBody><component>{section}</component></structuredBody></component>"
    return f'<ClinicalDocument xmlns="urn:hl7-org:v3">{body}</ClinicalDocument>'.encode()


def section(text: str) -> Section:
    (only,) = read_narrative(parse(document(text)))
    return only


def runs(text: str) -> tuple[Run, ...]:
    (block,) = section(text).blocks
    assert isinstance(block, Paragraph)
    return block.runs


def words(blocks: tuple[Block, ...]) -> str:
    """All the text of paragraphs, in order."""
    paragraphs = [block for block in blocks if isinstance(block, Paragraph)]
    return "".join(run.text for paragraph in paragraphs for run in paragraph.runs if isinstance(run, Text))


def test_a_section_has_its_title_code_and_inner_sections() -> None:
    inner = "<component><section><title>Dedans</title><text>b</text></section></component>"
    (outer,) = read_narrative(parse(document("a", inner)))
    assert (outer.title, outer.code and outer.code.code, [one.title for one in outer.sections]) == (
        "Traitements",
        "10183-2",
        ["Dedans"],
    )


def test_blanks_are_folded_across_runs() -> None:
    assert runs("  un\n  <content>  deux </content>  trois ") == (Text(text="un deux trois"),)


def test_styles_nest_and_unknown_ones_are_left_out() -> None:
    text = '<content styleCode="Bold xFancy">gras <content styleCode="Italics">les deux</content></content>H<sub>2</sub>O'
    assert runs(text) == (
        Text(text="gras ", styles=("bold",)),
        Text(text="les deux", styles=("bold", "italic")),
        Text(text="H"),
        Text(text="2", styles=("sub",)),
        Text(text="O"),
    )


def test_what_a_revision_deleted_is_struck() -> None:
    assert runs('<content revised="delete">10 mg</content>') == (Text(text="10 mg", styles=("strike",)),)


@pytest.mark.parametrize("href", ["https://exemple.fr/a?b=c", "http://exemple.fr", "mailto:a@exemple.fr", "#ref1"])
def test_a_harmless_link_is_kept(href: str) -> None:
    assert runs(f'<linkHtml href="{href}">ici</linkHtml>') == (Text(text="ici", href=href),)


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//exemple.fr",
        "http://a b",
        "vbscript:x",
    ],
)
def test_any_other_link_is_only_its_text(href: str) -> None:
    assert runs(f'<linkHtml href="{href}">ici</linkHtml>') == (Text(text="ici"),)


def test_line_breaks_stay_inside_a_paragraph_and_go_at_its_ends() -> None:
    assert runs("<br/>un<br/> deux<br/>") == (Text(text="un"), Break(), Text(text="deux"))


def test_lists_keep_their_order_caption_and_nesting() -> None:
    text = (
        '<list listType="ordered"><caption>À faire</caption><item>un</item><item>deux<list><item>dedans</item></list></item></list>'
    )
    (block,) = section(text).blocks
    assert isinstance(block, ListBlock)
    assert (block.ordered, block.caption, len(block.items)) == (True, "À faire", 2)
    inner = block.items[1][1]
    assert isinstance(inner, ListBlock) and not inner.ordered


def test_text_between_blocks_makes_its_own_paragraphs() -> None:
    blocks = section("avant<paragraph>dans</paragraph>après<table><tbody><tr><td>x</td></tr></tbody></table>fin").blocks
    assert [type(block).__name__ for block in blocks] == ["Paragraph", "Paragraph", "Paragraph", "Table", "Paragraph"]


def test_footnotes_are_numbered_and_called() -> None:
    one = section('a<footnote ID="n1">note</footnote> b<footnoteRef IDREF="n1"/>')
    assert one.blocks == (Paragraph(runs=(Text(text="a"), Mark(number=1), Text(text=" b"), Mark(number=1))),)
    assert [(note.number, note.runs) for note in one.footnotes] == [(1, (Text(text="note"),))]


def test_an_image_is_noted() -> None:
    assert runs('<renderMultiMedia referencedObject="MM1"><caption>Radio</caption></renderMultiMedia>') == (
        Image(reference="MM1", caption="Radio"),
    )


def test_a_table_has_its_head_its_alignments_and_its_spans() -> None:
    (table,) = section(
        "<table><caption>T</caption><thead><tr><th>A</th><th>B</th></tr></thead><tfoot><tr><td>f</td></tr></tfoot>"
        '<tbody><tr><td rowspan="9" align="RIGHT">1</td><td colspan="bad">2</td></tr><tr><td>3</td></tr></tbody></table>'
    ).blocks
    assert isinstance(table, Table)
    assert (table.columns, table.caption, len(table.head), len(table.rows)) == (2, "T", 1, 3)
    assert all(cell.heading for cell in table.head[0])
    first = table.rows[0][0]
    assert (first.rowspan, first.align) == (2, "right")
    assert len(table.rows[1]) == 1
    assert len(table.rows[2]) == 2  # the foot, filled with an empty cell


def test_markup_is_never_anything_but_text() -> None:
    assert runs('&lt;script&gt;#import "x" $a$ \\u{1}&lt;/script&gt;') == (Text(text='<script>#import "x" $a$ \\u{1}</script>'),)


def test_the_tree_encodes_to_json_with_its_kinds() -> None:
    encoded = json.loads(msgspec.json.encode(read_narrative(parse(document("a<br/>b")))))
    assert [run["kind"] for run in encoded[0]["blocks"][0]["runs"]] == ["text", "break", "text"]


@pytest.mark.parametrize(
    "text",
    [
        "<content>" * 60 + "x" + "</content>" * 60,
        "<content>a</content>" * 60_001,
        "x" * 2_000_001,
        "<table><tbody>" + "<tr><td>x</td></tr>" * (MAX_CELLS + 1) + "</tbody></table>",
        "<table><tbody>" + '<tr><td colspan="100"/></tr>' * 200 + "</tbody></table>",
    ],
    ids=["deep", "many", "long", "cells", "spans"],
)
def test_what_cannot_be_laid_out_is_refused_whole(text: str) -> None:
    with pytest.raises(NarrativeTooLarge) as refused:
        section(text)
    assert refused.value.finding.rule == "cda.narrative-too-large"


TAGS = st.sampled_from(
    [
        "paragraph",
        "content",
        "list",
        "item",
        "table",
        "tbody",
        "thead",
        "tr",
        "td",
        "th",
        "sub",
        "br",
        "footnote",
        "caption",
        "linkHtml",
    ]
)
LETTERS = st.text(alphabet="abcé ", max_size=6)


def element(tag: str, parts: list[str]) -> str:
    return f"<{tag}>{''.join(parts)}</{tag}>"


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(element, TAGS, st.lists(inner, max_size=4))


MARKUP = st.recursive(LETTERS, nested, max_leaves=20)


@given(MARKUP)
def test_any_markup_gives_a_tree(text: str) -> None:
    try:
        sections = read_narrative(parse(document(text)))
    except CdaError as error:
        assert error.finding.rule.startswith("cda.")
    else:
        msgspec.json.encode(sections)


@given(st.lists(st.tuples(st.sampled_from(["paragraph", "content", "sub"]), LETTERS), max_size=8))
def test_no_letter_of_running_text_is_lost(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"{letters}<{tag}>{letters}</{tag}>" for tag, letters in parts)
    expected = "".join(letters * 2 for _, letters in parts)
    assert words(section(text).blocks).replace(" ", "") == expected.replace(" ", "")


def test_official_letters_have_their_sections(corpus: Path) -> None:
    sections = read_narrative(parse((corpus / "cda/LDL-SES_2022.01.xml").read_bytes()))
    assert [section.code.code for section in sections if section.code is not None][:2] == ["33557-0", "42349-1"]
    treatments = next(section for section in sections if section.code is not None and section.code.code == "10183-2")
    (table,) = treatments.blocks
    assert isinstance(table, Table) and table.columns == 9
    for path in sorted((corpus / "cda").glob("*.xml")):
        msgspec.json.encode(read_narrative(parse(path.read_bytes())))
