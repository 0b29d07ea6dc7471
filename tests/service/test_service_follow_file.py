"""Lists of followed patients as files: what is understood, what is refused by its line, and that nothing is ever shown of a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.service.follow_file import FollowFile, FollowFileError, parse_follow_list, read_follow_file
from liaison.service.follow_lines import FollowLine, LineFault, wanted_of
from liaison.service.loader import read_configuration

TEXT = """\
[sources.ch]
kind = "memory"
finess = "400011177"
[follow.authorities]
400780284 = "oid:1.2.250.1.213.99.40.1"
[follow.lists.pta]
"""
CONFIGURATION = read_configuration(TEXT, path=None, folder=Path())
INS = "275116410204507"


def parse(raw: bytes | str) -> FollowFile:
    return parse_follow_list(raw.encode() if isinstance(raw, str) else raw, configuration=CONFIGURATION, name="pta")


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_and_the_character_set_are_found_out(separator: str, encoding: str, end: str) -> None:
    rows = [
        ["Matricule INS", "IPP", "Établissement", "Date de naissance"],
        [INS, "", "", "03/11/1975"],
        ["", "80042", "400011177", ""],
    ]
    read = parse(end.join(separator.join(row) for row in rows).encode(encoding))
    assert read.lines == (FollowLine(ins=INS, birth_date="03/11/1975"), FollowLine(ipp="80042", finess="400011177"))
    assert (read.faults, read.ignored, read.repeated) == ((), (), 0)


def test_what_is_wrong_is_told_by_its_line_without_its_value() -> None:
    read = parse(f"ins;ipp;finess;fin\n{INS};;;\n275116410204508;;;\n\n;80042;;\n;80042;400011177;hier\n{INS};80042;;\n;;;;;plus\n")
    assert [fault.line for fault in read.faults] == [3, 5, 6, 7, 8]
    assert [fault.message.split(" :")[0] for fault in read.faults[:4]] == ["ins", "finess", "fin", "ins, ipp"]
    assert "80042" not in str(read.faults) and "hier" not in str(read.faults) and "2751" not in str(read.faults)
    assert len(read.lines) == 1


def test_columns_that_mean_nothing_are_named_and_repetitions_counted() -> None:
    read = parse(f"nom;ins\nX;{INS}\nY;{INS}\n")
    assert (len(read.lines), read.repeated, read.ignored) == (1, 1, ("nom",))


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"nom;prenom\nA;B\n", b"ins;ins\n1;2\n", b"\x00\x01\x02", b"ipp;ipp;finess\n", b"\xff\xfe\x00"]
)
def test_another_file_is_refused_whole(raw: bytes) -> None:
    with pytest.raises(FollowFileError):
        parse(raw)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FollowFileError, match="ne peut être lu"):
        read_follow_file(tmp_path / "none.csv", configuration=CONFIGURATION, name="pta")


def test_an_ipp_takes_the_authority_of_its_establishment() -> None:
    def authority(line: FollowLine) -> str:
        return wanted_of(line, configuration=CONFIGURATION, name="pta").identifier.authority

    assert authority(FollowLine(ipp="1", finess="400011177")) == "finess:400011177"
    assert authority(FollowLine(ipp="1", finess="400780284")) == "oid:1.2.250.1.213.99.40.1"
    assert authority(FollowLine(ipp="1", finess="400780284", authority="oid:1.2.3")) == "oid:1.2.3"


def test_days_are_those_of_france_and_the_last_is_included() -> None:
    wanted = wanted_of(FollowLine(ins=INS, since="2026-11-01", until="30/11/2026"), configuration=CONFIGURATION, name="pta")
    assert wanted.since is not None and wanted.until is not None
    assert wanted.until - wanted.since == 30 * 86_400_000_000
    assert wanted.since % 86_400_000_000 == 23 * 3_600_000_000, "midnight of the winter, an hour before UTC's"


@given(st.binary(max_size=400))
def test_no_bytes_ever_raise_anything_else(raw: bytes) -> None:
    for content in (raw, b"ins;ipp;finess;naissance;debut;fin\n" + raw):
        try:
            read = parse(content)
        except FollowFileError:
            continue
        assert all(fault.line >= 1 and fault.message for fault in read.faults)


texts = st.text(max_size=20) | st.sampled_from(
    [INS, "400011177", "2026-11-01", "31/12/9999", "2026-11-01T00:00:00+01:00", "0001-01-01"]
)


@given(st.builds(FollowLine, ins=texts, ipp=texts, finess=texts, authority=texts, birth_date=texts, since=texts, until=texts))
def test_a_line_is_understood_or_refused(line: FollowLine) -> None:
    try:
        wanted = wanted_of(line, configuration=CONFIGURATION, name="pta")
    except LineFault as fault:
        assert str(fault)
        return
    assert bool(wanted.establishment) == (wanted.identifier.kind == "ipp")
