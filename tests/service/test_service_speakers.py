"""Who may assert what, as a configuration declares it: what each source is read with, and what is asked of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from liaison.service.configuration import Configuration, ConfigurationError, Fault
from liaison.service.loader import read_configuration
from liaison.service.speakers import domains, profiles

MDM, DAX, EG, CLINIC = "400011177", "400780193", "400780284", "400099999"

GHT = f"""\
[sources.ght]
kind = "mllp"
listen = "127.0.0.1:2575"
finess = {{ "*|CHMDM" = "{MDM}", "GAM|CHDAX" = "{DAX}", DAX = "{DAX}", "{EG}" = "{MDM}" }}
senders = ["*|CHMDM", "GAM|CHDAX"]
authorities = {{ IPPGHT = "oid:1.2.250.1.999.1" }}
match_by_ins = ["{DAX}"]
charset = "8859/15"

[sources.clinique]
kind = "mllp"
listen = "127.0.0.1:2576"
finess = "{CLINIC}"
"""


def read(text: str) -> Configuration:
    return read_configuration(text, path=None, folder=Path("/etc/liaison"))


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return caught.value.faults


def test_a_source_is_read_with_what_is_declared_of_it_and_of_the_others() -> None:
    ght = profiles(read(GHT))["ght"]
    assert (ght.finess, ght.charset, ght.senders) == (MDM, "8859/15", frozenset({"*|CHMDM", "GAM|CHDAX"}))
    assert ght.establishments == {"*|CHMDM": MDM, "GAM|CHDAX": DAX, "DAX": DAX, EG: MDM}
    assert ght.own_authorities == frozenset({f"finess:{MDM}", f"finess:{DAX}", f"finess:{EG}", "oid:1.2.250.1.999.1"})
    assert ght.others_authorities == {f"finess:{CLINIC}"}


@pytest.mark.parametrize(
    ("said", "share"),
    [('validate = "strict"', 0.01), ('validate = "strict"\nvalidate_share = 0.5', 0.5), ("validate_share = 0.5", 0.0)],
)
def test_a_strict_source_is_held_against_hl7_s_tables_for_a_share_of_its_messages(said: str, share: float) -> None:
    assert profiles(read(GHT.replace('charset = "8859/15"', said)))["ght"].structure_share == share


def test_a_newcomer_s_source_is_held_to_nothing_but_what_others_declare() -> None:
    clinic = profiles(read(GHT))["clinique"]
    assert (clinic.own_authorities, clinic.senders, clinic.establishments) == (None, frozenset(), {})
    assert clinic.others_authorities == {f"finess:{MDM}", f"finess:{DAX}", f"finess:{EG}", "oid:1.2.250.1.999.1"}
    alone = profiles(read(GHT.partition("[sources.clinique]")[2].join(["[sources.clinique]", ""])))["clinique"]
    assert not alone.others_authorities


def test_two_sources_of_one_hospital_speak_of_the_same_patients() -> None:
    second = GHT.partition("[sources.clinique]")[2].replace("2576", "2577")
    both = profiles(read(f"{GHT}\n[sources.documents]{second}"))
    assert f"finess:{CLINIC}" not in both["documents"].others_authorities | both["clinique"].others_authorities


def test_a_numbering_means_something_inside_one_establishment() -> None:
    assert domains(read(GHT)) == {
        f"finess:{MDM}": MDM,
        f"finess:{DAX}": DAX,
        f"finess:{EG}": MDM,
        "oid:1.2.250.1.999.1": MDM,
        f"finess:{CLINIC}": CLINIC,
    }


def test_sources_that_could_speak_for_one_another_are_a_standing_warning() -> None:
    (warning,) = read(GHT).warnings
    assert "clinique" in warning and "senders" in warning and "authorities" in warning
    assert not read("[sources.clinique]" + GHT.partition("[sources.clinique]")[2]).warnings


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (f'"*|CHMDM" = "{MDM}"', '"*|CHMDM" = "4000"', "finess"),
        (f'"*|CHMDM" = "{MDM}"', f'"|" = "{MDM}"', "finess"),
        (f'"*|CHMDM" = "{MDM}"', f'"A|B|C" = "{MDM}"', "finess"),
        (f'"GAM|CHDAX" = "{DAX}"', f'"LABO|CHDAX" = "{DAX}"', "finess"),
        ('senders = ["*|CHMDM", ', 'senders = ["CHMDM", ', "senders"),
        ('senders = ["*|CHMDM", ', 'senders = "GAM|CHMDM" #', "senders"),
        ("oid:1.2.250.1.999.1", "oid:1.2.250.1.213.1.4.8", "authorities"),
        ("IPPGHT =", '"1.2.250.1.213.1.4.10" =', "authorities"),
        (f'match_by_ins = ["{DAX}"]', f'match_by_ins = ["{CLINIC}"]', "match_by_ins"),
        ('charset = "8859/15"', 'charset = "EBCDIC"', "charset"),
        ('charset = "8859/15"', "validate_share = 0", "validate_share"),
        (f'finess = "{CLINIC}"', "finess = {}", "finess"),
        (f'finess = "{CLINIC}"', "finess = 1", "finess"),
    ],
)
def test_what_cannot_be_meant_is_refused(old: str, new: str, key: str) -> None:
    assert GHT.count(old) == 1
    assert key in {fault.key for fault in faults(GHT.replace(old, new))}


def test_production_demands_that_a_source_says_who_it_is() -> None:
    text = '[hub]\nterritory = "production"\n' + GHT.replace("127.0.0.1:2576", "10.1.0.5:2576").replace(
        f'finess = "{CLINIC}"', f'finess = "{CLINIC}"\ncertificate = "/c.pem"'
    )
    asked = {(fault.table, fault.key) for fault in faults(text)}
    assert {("sources.clinique", key) for key in ("senders", "authorities", "peers")} <= asked
    assert not any(table == "sources.ght" for table, _ in asked)
