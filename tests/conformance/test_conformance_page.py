from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import msgspec
import pytest

from liaison.conformance.examine import examine
from liaison.conformance.page import drop_page, page_of
from liaison.conformance.pictures import bar, stacked
from liaison.conformance.report import number, percent
from tests.conformance.feeds import NOW, adt, in_memory, moved

HOSTILE = '<script>alert(1)</script><img src=x onerror="y">'
_FETCHED = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction", "xlink:href"}


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def page(**files: bytes) -> str:
    return page_of(examine(in_memory(**files), now=NOW, workers=1))


ORDINARY = page(feed=b"".join((adt(PID_32=""), moved("A03", 2, 16, visit="V2"), adt(MSH_9="XXX"))))


def test_the_page_stands_alone() -> None:
    tags = Tags(ORDINARY).found
    assert not {name for name, _ in tags} & {"script", "link", "iframe", "object", "embed", "img", "form"}
    assert not [
        name for _, attributes in tags for name in attributes if name in _FETCHED or name.startswith("on") or name == "style"
    ]
    assert "http://" not in ORDINARY and "https://" not in ORDINARY and "@import" not in ORDINARY and "url(" not in ORDINARY


def test_the_policy_allows_this_style_sheet_and_nothing_else() -> None:
    (css,) = re.findall(r"<style>(.*?)</style>", ORDINARY, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    (policy,) = [a["content"] for _, a in Tags(ORDINARY).found if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None and policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")


def test_hostile_values_are_only_text() -> None:
    hostile = page(**{f"{HOSTILE}.hl7": adt(MSH_3=HOSTILE, MSH_10=HOSTILE, PID_32="", PID_5=HOSTILE, ZBE_4=HOSTILE)})
    assert "<script" not in hostile and "<img" not in hostile
    assert hostile.count("&lt;script&gt;") >= 3
    assert {name for name, _ in Tags(hostile).found} <= {name for name, _ in Tags(ORDINARY).found} | {"p", "code", "ul", "li"}


def test_the_page_says_what_the_report_says() -> None:
    report = examine(in_memory(feed=adt(PID_32="")), now=NOW, workers=1)
    shown = page_of(report)
    assert report.summary.title in shown
    assert all(line.rule in shown for line in (*report.remarks, *report.sequence))
    assert "PAM.fr §6.6.15" in shown


def test_the_report_is_one_json_object_with_stable_keys() -> None:
    said = msgspec.json.decode(msgspec.json.encode(examine(in_memory(feed=adt(PID_32="")), now=NOW, workers=1)))
    assert list(said) == [
        "schema", "made_at", "summary", "files", "unread", "messages", "clean", "first", "last", "senders", "kinds", "remarks",
        "sequence", "silences", "units", "fields",
    ]  # fmt: skip
    assert said["schema"] == 1
    assert list(said["remarks"][0]) == ["rule", "severity", "place", "count", "share", "message", "remedy", "clause", "examples"]
    assert list(said["remarks"][0]["examples"][0]) == ["file", "position", "control_id", "shape"]


def test_the_page_to_drop_files_on_escapes_what_it_is_told() -> None:
    shown = drop_page(HOSTILE)
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert not {name for name, _ in Tags(shown).found} & {"script", "link", "img"}


def test_what_is_there_is_seen_and_the_parts_fill_the_bar() -> None:
    drawn = stacked(((1, "bad"), (999_999, "good")), "presque tout")
    widths = [int(width) for width in re.findall(r'width="(\d+)"', drawn)]
    assert sum(widths) == 1000 and min(widths) >= 6
    assert "<title>&lt;b&gt;</title>" in bar(1, 2, "good", "<b>")
    assert "<rect" not in stacked((), "rien")


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [(0, 9, "0 %"), (9, 9, "100 %"), (1, 100_000, "0,1 %"), (99_999, 100_000, "99,9 %"), (1, 8, "12,5 %")],
)
def test_a_share_is_never_rounded_to_none_or_all(part: int, whole: int, words: str) -> None:
    assert percent(part, whole) == words


def test_numbers_are_written_as_in_french() -> None:
    assert number(1234567) == "1\u202f234\u202f567"
