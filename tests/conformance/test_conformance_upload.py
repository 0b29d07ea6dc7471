from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.conformance.upload import NotAForm, posted_files

KIND = "multipart/form-data; boundary=limite"


def form(*parts: tuple[str, bytes]) -> bytes:
    written = (
        f'--limite\r\nContent-Disposition: form-data; name="fichiers"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in parts
    )
    return b"".join(written) + b"--limite--\r\n"


@given(st.lists(st.binary(max_size=60).filter(lambda content: b"--limite" not in content), max_size=4))
def test_files_come_out_byte_for_byte(contents: list[bytes]) -> None:
    files = posted_files(KIND, form(*((f"{rank}.hl7", content) for rank, content in enumerate(contents))))
    assert [file.read() for file in files] == contents
    assert [file.size for file in files] == [len(content) for content in contents]


def test_a_quoted_boundary_is_read_too() -> None:
    assert len(posted_files('multipart/form-data; boundary="limite"', form(("a.hl7", b"x")))) == 1


def test_only_the_last_part_of_a_name_is_kept() -> None:
    assert [file.name for file in posted_files(KIND, form(("C:\\export\\jour\\a.hl7", b""), ("../../b.hl7", b"")))] == [
        "a.hl7",
        "b.hl7",
    ]


def test_a_field_without_a_file_is_left_out() -> None:
    assert posted_files(KIND, form(("", b""))) == ()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        (KIND, b""),
        (KIND, b"--limite"),
        (KIND, b"--limite\r\nno end of head"),
        (KIND, form(("a.hl7", b"x")).removesuffix(b"--limite--\r\n")),
    ],
)
def test_what_is_no_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(NotAForm):
        posted_files(kind, body)


@given(st.binary(max_size=200))
def test_any_body_is_a_form_or_refused(body: bytes) -> None:
    try:
        posted_files(KIND, b"--limite" + body)
    except NotAForm:
        pass
