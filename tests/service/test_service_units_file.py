"""Referentials of units, whose letters they are, and the codes that are in none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from liaison.care.facts import MovementAction, MovementFact, Place
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.units import Unit
from liaison.service.loader import read_configuration
from liaison.service.mail_senders import senders_of
from liaison.service.units_file import UnitsFileError, UnmappedUnits, load_units, seen_units

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def movement(unit: str) -> MovementFact:
    return MovementFact(
        patient=(),
        action=MovementAction.INSERT,
        trigger="A01",
        original_trigger="A01",
        visit=Identifier(kind=IdentifierKind.VISIT, authority="finess:400011177", value="1"),
        at=NOW,
        place=Place(uf_medical=unit),
        recorded_at=NOW,
        sent_at=NOW,
        control_id="1",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_referential_is_read_as_spreadsheets_save_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "ufs.csv"
    path.write_bytes("code;label\r\n6268;Gériatrie\r\n".encode(encoding))
    assert load_units(path)["6268"].label == "Gériatrie"


@pytest.mark.parametrize("text", [None, "rien", "code;label\n1"])
def test_a_referential_that_cannot_be_used_is_told_with_its_file(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ufs.csv"
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(UnitsFileError, match=r"ufs\.csv"):
        load_units(path)


def test_codes_that_no_referential_has_are_counted_and_survive_a_restart(tmp_path: Path) -> None:
    units = {"ch": {"6268": Unit(code="6268")}}
    seen = UnmappedUnits(tmp_path, units)
    for code in ("6268", "7100", "7100", ""):
        seen.note("ch", [movement(code)], lambda: NOW)
    seen.note("other", [movement("6268")], lambda: NOW)
    seen.save()
    again = UnmappedUnits(tmp_path, units)
    again.note("ch", [movement("7100")], lambda: NOW)
    again.save()
    found = seen_units(tmp_path)
    assert {source: {code: one.count for code, one in codes.items()} for source, codes in found.items()} == {
        "ch": {"7100": 3},
        "other": {"6268": 1},
    }
    assert found["ch"]["7100"].first == "2026-11-22"


def test_rubbish_does_not_grow_the_file(tmp_path: Path) -> None:
    seen = UnmappedUnits(tmp_path, {})
    for number in range(6_000):
        seen.note("ch", [movement(f"{number}" * 50)], lambda: NOW)
    seen.save()
    assert len(seen_units(tmp_path)["ch"]) <= 5_000


def test_a_letters_sender_is_the_units_over_the_sources_over_the_destinations(tmp_path: Path) -> None:
    text = """
        [sources.ch]
        kind = "mllp"
        listen = "127.0.0.1:2575"
        finess = "400011177"
        label = "CH de Dax"
        unit_senders = { "9" = { sender = "urgences@na.mssante.fr", label = "SAMU 40" } }
        [sources.other]
        kind = "mllp"
        listen = "127.0.0.1:2576"
        finess = "400011178"
        [destinations.promess]
        kind = "smtp"
        server = "127.0.0.1:2525"
        tls = "none"
        sender = "liaison@na.mssante.fr"
        label = "GCS Landes"
        reply_to = "gcs@na.mssante.fr"
    """
    configuration = read_configuration(text, path=None, folder=tmp_path)
    units = {
        "ch": {
            "1": Unit(code="1", label="Gériatrie", phone="05 58 00 00 00", mailbox="geriatrie@ch.test"),
            "2": Unit(code="2", label="SSR", mailbox="pas une adresse"),
            "9": Unit(code="9", label="Urgences"),
        }
    }
    sender_of = senders_of(configuration, configuration.destinations["promess"], units)
    told = {code: sender_of("ch", code) for code in ("1", "2", "9", "")}
    assert (told["1"].label, told["1"].reply_to, told["1"].phone) == (
        "CH de Dax – Gériatrie",
        "geriatrie@ch.test",
        "05 58 00 00 00",
    )
    assert (told["2"].label, told["2"].reply_to) == ("CH de Dax – SSR", "gcs@na.mssante.fr")
    assert (told["9"].address, told["9"].label) == ("urgences@na.mssante.fr", "SAMU 40")
    assert (told[""].label, told[""].address) == ("CH de Dax", "liaison@na.mssante.fr")
    assert sender_of("other", "1").label == sender_of("gone", "1").label == "GCS Landes"
