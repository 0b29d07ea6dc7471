"""The narrative of a structured document as a safe, typed, bounded tree that a renderer can trust.

What a sender wrote is kept as text, never as markup; links are kept only towards ``http``, ``https``, ``mailto`` and the document
itself. Too large a narrative is refused rather than cut: half a letter is worse than none. The tree encodes to JSON with
``msgspec.json.encode``: every block and run bears its ``kind``.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from liaison.cda.datatypes import Code, InstanceId, group, read_code, read_id, read_text
from liaison.cda.grid import Layout
from liaison.cda.xml import CdaError, Element, H, find_clinical_document
from liaison.private import Private

MAX_DEPTH: Final = 40
MAX_NODES: Final = 60_000
#: typst lays out 100,000 cells in 4.6 s and a gigabyte.
MAX_CELLS: Final = 10_000
MAX_CHARACTERS: Final = 2_000_000


class NarrativeTooLarge(CdaError):
    """A narrative beyond what can be rendered with bounded work."""


class Text(Private, frozen=True, kw_only=True, tag_field="kind", tag="text"):
    """A run of text, blanks folded."""

    text: str
    #: Among bold, italic, underline, strike, sub, sup; sorted.
    styles: tuple[str, ...] = ()
    #: A safe link, or empty.
    href: str = ""


class Break(Private, frozen=True, kw_only=True, tag_field="kind", tag="break"):
    """A line break."""


class Mark(Private, frozen=True, kw_only=True, tag_field="kind", tag="mark"):
    """A call to a footnote of the same section, by its number."""

    number: int


class Image(Private, frozen=True, kw_only=True, tag_field="kind", tag="image"):
    """A renderMultiMedia: an image of the document that the narrative shows here, and that is not carried by this tree."""

    reference: str
    caption: str = ""


Run: TypeAlias = Text | Break | Mark | Image


class Paragraph(Private, frozen=True, kw_only=True, tag_field="kind", tag="paragraph"):
    runs: tuple[Run, ...]


class ListBlock(Private, frozen=True, kw_only=True, tag_field="kind", tag="list"):
    ordered: bool
    caption: str = ""
    items: tuple[tuple[Block, ...], ...]


class Cell(Private, frozen=True, kw_only=True):
    blocks: tuple[Block, ...] = ()
    heading: bool = False
    #: left, center, right, or empty.
    align: str = ""
    colspan: int = 1
    rowspan: int = 1


class Table(Private, frozen=True, kw_only=True, tag_field="kind", tag="table"):
    """A table whose rows are complete: cells flow into ``columns`` columns without a gap or an overlap."""

    columns: int
    caption: str = ""
    head: tuple[tuple[Cell, ...], ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()


Block: TypeAlias = Paragraph | ListBlock | Table


class Footnote(Private, frozen=True, kw_only=True):
    number: int
    runs: tuple[Run, ...]


class Section(Private, frozen=True, kw_only=True):
    """A section with its narrative and the sections inside it."""

    title: str
    code: Code | None = None
    templates: tuple[InstanceId, ...] = ()
    blocks: tuple[Block, ...] = ()
    footnotes: tuple[Footnote, ...] = ()
    sections: tuple[Section, ...] = ()


def read_narrative(root: Element) -> tuple[Section, ...]:
    """The sections of a parsed document; none for an N1. Raises :class:`NarrativeTooLarge`."""
    document = find_clinical_document(root)
    body = None if document is None else document.find(f"{H}component/{H}structuredBody")
    return () if body is None else _Reader().sections(body, 0)


_STYLES: Final = {"bold": "bold", "emphasis": "italic", "italics": "italic", "italic": "italic", "underline": "underline"}
_ELEMENT_STYLES: Final = {f"{H}sub": "sub", f"{H}sup": "sup"}
_HREF: Final = re.compile(r"(?:https?://|mailto:|#)[^\s\x00-\x20\"<>\\^`{|}]{1,2000}", re.IGNORECASE)
#: Blocks where the schema allows only runs: their text is kept, each on its own line.
_MISPLACED: Final = frozenset(H + name for name in ("list", "item", "table", "tr", "td", "th", "paragraph"))
_ALIGN: Final = frozenset({"left", "center", "right"})
_BLANKS: Final = re.compile(r"[ \t\r\n\f\v\u00a0]+|[\x00-\x1f\x7f]")


class _Reader:
    """One pass over the narrative; every element and character read is counted."""

    def __init__(self) -> None:
        self._nodes = self._cells = self._characters = 0
        self._footnotes: list[Footnote] = []
        self._numbers: dict[str, int] = {}

    def sections(self, parent: Element, depth: int) -> tuple[Section, ...]:
        return tuple(
            [
                self._section(element, depth + 1)
                for component in parent.iterchildren(f"{H}component")
                for element in component.iterchildren(f"{H}section")
            ]
        )

    def _section(self, element: Element, depth: int) -> Section:
        self._count(depth)
        children = group(element)
        self._footnotes, self._numbers = [], {}
        text = element.find(f"{H}text")
        blocks = () if text is None else self.blocks(text, (), "", depth)
        footnotes = tuple(self._footnotes)
        title = children.get(f"{H}title")
        code = children.get(f"{H}code")
        return Section(
            title=self._plain(read_text(title[0])) if title else "",
            code=read_code(code[0]) if code else None,
            templates=tuple([read_id(template) for template in children.get(f"{H}templateId", ())]),
            blocks=blocks,
            footnotes=footnotes,
            sections=self.sections(element, depth),
        )

    def blocks(self, element: Element, styles: tuple[str, ...], href: str, depth: int) -> tuple[Block, ...]:
        """The content of a flow element; text between blocks makes paragraphs of its own."""
        self._count(depth)
        found: list[Block] = []
        runs: list[Run] = []

        def flush() -> None:
            if trimmed := _trim(runs):
                found.append(Paragraph(runs=trimmed))
            runs.clear()

        self._text(element.text, styles, href, runs)
        for child in element:
            tag = child.tag
            if tag in (f"{H}list", f"{H}table", f"{H}paragraph"):
                flush()
                if tag == f"{H}paragraph":
                    found.extend(self.blocks(child, _styles_of(child, styles), href, depth + 1))
                elif tag == f"{H}list":
                    found.append(self._list(child, styles, depth + 1))
                elif (table := self._table(child, styles, depth + 1)) is not None:
                    found.append(table)
            else:
                self._inline(child, styles, href, runs, depth + 1)
            self._text(child.tail, styles, href, runs)
        flush()
        return tuple(found)

    def _inline(self, element: Element, styles: tuple[str, ...], href: str, runs: list[Run], depth: int) -> None:
        self._count(depth)
        tag = element.tag
        if tag == f"{H}br":
            runs.append(Break())
        elif tag == f"{H}renderMultiMedia":
            caption = element.find(f"{H}caption")
            runs.append(
                Image(reference=self._plain(element.get("referencedObject") or ""), caption=self._plain(read_text(caption)))
            )
        elif tag == f"{H}footnote":
            note: list[Run] = []
            self._children(element, styles, href, note, depth)
            number = len(self._footnotes) + 1
            self._footnotes.append(Footnote(number=number, runs=_trim(note)))
            self._numbers[element.get("ID") or ""] = number
            runs.append(Mark(number=number))
        elif tag == f"{H}footnoteRef":
            if (known := self._numbers.get(element.get("IDREF") or "")) is not None:
                runs.append(Mark(number=known))
        elif tag == f"{H}caption":
            self._children(element, _with(styles, "bold"), href, runs, depth)
            runs.append(Break())
        elif tag == f"{H}linkHtml":
            target = (element.get("href") or "").strip()
            self._children(element, styles, target if _HREF.fullmatch(target) else "", runs, depth)
        else:
            if tag in _MISPLACED:
                runs.append(Break())
            self._children(element, _styles_of(element, styles), href, runs, depth)

    def _children(self, element: Element, styles: tuple[str, ...], href: str, runs: list[Run], depth: int) -> None:
        self._text(element.text, styles, href, runs)
        for child in element:
            self._inline(child, styles, href, runs, depth + 1)
            self._text(child.tail, styles, href, runs)

    def _list(self, element: Element, styles: tuple[str, ...], depth: int) -> ListBlock:
        inherited = _styles_of(element, styles)
        return ListBlock(
            ordered=(element.get("listType") or "").lower() == "ordered",
            caption=self._plain(read_text(element.find(f"{H}caption"))),
            items=tuple(
                [self.blocks(item, _styles_of(item, inherited), "", depth + 1) for item in element.iterchildren(f"{H}item")]
            ),
        )

    def _table(self, element: Element, styles: tuple[str, ...], depth: int) -> Table | None:
        parts = group(element)
        groups: list[list[Element]] = []
        for name in ("thead", "tbody", "tfoot"):
            groups.extend([list(part.iterchildren(f"{H}tr")) for part in parts.get(H + name, ())])
        heads = len(parts.get(f"{H}thead", ()))
        if direct := parts.get(f"{H}tr"):
            groups.append(direct)
        read = [[self._row(row, styles, depth + 1) for row in rows] for rows in groups]
        layout = Layout([[[(cell.colspan, cell.rowspan) for cell in row] for row in rows] for rows in read])
        if not layout.columns:
            return None
        self._cells += layout.columns * sum(len(rows) for rows in read)
        self._check()
        filled = [
            [tuple(Cell() if place is None else _spanning(row, place) for place in places) for row, places in zip(rows, placed, strict=True)]
            for rows, placed in zip(read, layout.fill(), strict=True)
        ]  # fmt: skip
        return Table(
            columns=layout.columns,
            caption=self._plain(read_text(element.find(f"{H}caption"))),
            head=tuple(row for rows in filled[:heads] for row in rows),
            rows=tuple(row for rows in filled[heads:] for row in rows),
        )

    def _row(self, row: Element, styles: tuple[str, ...], depth: int) -> list[Cell]:
        inherited = _styles_of(row, styles)
        cells: list[Cell] = []
        for element in row.iterchildren(f"{H}td", f"{H}th"):
            self._cells += 1
            self._check()
            align = (element.get("align") or "").lower()
            cells.append(
                Cell(
                    blocks=self.blocks(element, _styles_of(element, inherited), "", depth),
                    heading=element.tag == f"{H}th",
                    align=align if align in _ALIGN else "",
                    colspan=_span(element.get("colspan")),
                    rowspan=_span(element.get("rowspan")),
                )
            )
        return cells

    def _text(self, text: str | None, styles: tuple[str, ...], href: str, runs: list[Run]) -> None:
        """Append text, folding blanks across runs as a reader of HTML does."""
        if not text:
            return
        folded = self._plain(text)
        last = runs[-1] if runs else None
        if folded.startswith(" ") and (
            last is None or isinstance(last, Break) or (isinstance(last, Text) and last.text.endswith(" "))
        ):
            folded = folded[1:]
        if not folded:
            return
        if isinstance(last, Text) and last.styles == styles and last.href == href:
            runs[-1] = Text(text=last.text + folded, styles=styles, href=href)
        else:
            runs.append(Text(text=folded, styles=styles, href=href))

    def _plain(self, text: str) -> str:
        self._characters += len(text)
        self._check()
        return _BLANKS.sub(" ", text)

    def _count(self, depth: int) -> None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise _too_large(f"le texte imbrique plus de {MAX_DEPTH} niveaux")
        self._check()

    def _check(self) -> None:
        if self._nodes > MAX_NODES or self._characters > MAX_CHARACTERS:
            raise _too_large("le texte est trop long")
        if self._cells > MAX_CELLS:
            raise _too_large(f"les tableaux comptent plus de {MAX_CELLS} cellules")


def _too_large(why: str) -> NarrativeTooLarge:
    return NarrativeTooLarge("cda.narrative-too-large", "/ClinicalDocument/component/structuredBody",
                             f"La partie lisible du document ne peut pas être mise en page : {why}.",
                             "Réduire le texte des sections, ou joindre ces données sous une autre forme.")  # fmt: skip


def _styles_of(element: Element, styles: tuple[str, ...]) -> tuple[str, ...]:
    """The styles inside an element: styleCode (CDA R2 §4.3.5.11), sub, sup, and what a revision deleted."""
    named = element.get("styleCode")
    if named:
        for word in named.split()[:20]:
            if (style := _STYLES.get(word.lower())) is not None:
                styles = _with(styles, style)
    if element.get("revised") == "delete":
        styles = _with(styles, "strike")
    own = _ELEMENT_STYLES.get(element.tag)
    return styles if own is None else _with(styles, own)


def _with(styles: tuple[str, ...], style: str) -> tuple[str, ...]:
    return styles if style in styles else tuple(sorted((*styles, style)))


def _trim(runs: list[Run]) -> tuple[Run, ...]:
    """Runs without breaks and blanks at either end."""
    start, end = 0, len(runs)
    while start < end and _is_blank(runs[start]):
        start += 1
    while end > start and _is_blank(runs[end - 1]):
        end -= 1
    kept = runs[start:end]
    if kept and isinstance(last := kept[-1], Text):
        kept[-1] = Text(text=last.text.rstrip(" "), styles=last.styles, href=last.href)
    return tuple(kept)


def _is_blank(run: Run) -> bool:
    return isinstance(run, Break) or (isinstance(run, Text) and not run.text.strip())


def _span(value: str | None) -> int:
    return min(max(int(value), 1), 100) if value is not None and value.isascii() and value.isdigit() and len(value) < 5 else 1


def _spanning(row: list[Cell], place: tuple[int, int, int]) -> Cell:
    """The cell of a row with the spans that the layout left it."""
    index, colspan, rowspan = place
    cell = row[index]
    if (cell.colspan, cell.rowspan) == (colspan, rowspan):
        return cell
    return Cell(blocks=cell.blocks, heading=cell.heading, align=cell.align, colspan=colspan, rowspan=rowspan)
