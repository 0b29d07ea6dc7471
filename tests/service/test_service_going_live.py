"""Modes, lists and delays as a configuration says them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.rules.golive import Standing
from liaison.service.configuration import Configuration, ConfigurationError, HubSettings
from liaison.service.going_live import going_live, patient_identifiers
from liaison.service.loader import read_configuration

TEXT = """\
[hub]
test_patients = ["ins:275116410204507", "ipp:oid:1.2.250.1.213.99.40.1/300123"]

[sources.ch]
kind = "memory"
finess = "400011177"

[destinations.promess]
kind = "memory"
sender = "liaison@na.mssante.fr"

[[routes]]
events = ["*"]
to = "promess"
patients = "all"
"""
IPP = Identifier(kind=IdentifierKind.IPP, authority="oid:1.2.250.1.213.99.40.1", value="300123")


def read(text: str) -> Configuration:
    return read_configuration(text, path=None, folder=Path("/etc/liaison"))


def with_source(*lines: str) -> str:
    return TEXT.replace('finess = "400011177"', "\n".join(('finess = "400011177"', *lines)))


def with_destination(*lines: str) -> str:
    return TEXT.replace('sender = "liaison@na.mssante.fr"', "\n".join(('sender = "liaison@na.mssante.fr"', *lines)))


def test_a_source_that_says_nothing_is_live() -> None:
    assert going_live(read(TEXT)).standing("ch") == Standing()
    assert read(TEXT).warnings == ()


def test_a_source_says_how_far_it_is() -> None:
    configuration = read(with_source('mode = "shadow"', 'letters = "observe"', 'late_after = "48h"'))
    assert going_live(configuration).standing("ch") == Standing(mode="shadow", letters="observe", late_after=timedelta(hours=48))


def test_in_production_a_day_is_late_where_nothing_is_said() -> None:
    configuration = read(TEXT)
    production = Configuration(
        path=None,
        folder=configuration.folder,
        hub=HubSettings(territory="production"),
        sources=configuration.sources,
        destinations=configuration.destinations,
        routes=configuration.routes,
        letters=configuration.letters,
    )
    assert going_live(production).standing("ch").late_after == timedelta(hours=24)


def test_an_ins_is_meant_under_every_oid_and_an_ipp_under_its_own() -> None:
    (number,) = patient_identifiers("ipp:oid:1.2.250.1.213.99.40.1/300123")
    assert number == IPP
    matricules = patient_identifiers("ins:275116410204507")
    assert {one.value for one in matricules} == {"275116410204507"} and len({one.authority for one in matricules}) == 4
    assert going_live(read(TEXT)).test_patients == {IPP, *matricules}


@pytest.mark.parametrize(
    "text", ["", "ins:", "ins:275116410204508", "ipp:800042", "ipp:finess:/1", "ipp:autre:1/2", "ipp:finess:1/", "x"]
)
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        patient_identifiers(text)


def test_a_test_list_holds_addresses_and_patients() -> None:
    configuration = read(with_destination('only_to = ["Essai@NA.mssante.fr", "ipp:finess:400011177/7"]'))
    listed = going_live(configuration).only_to["promess"]
    assert listed.addresses == {"essai@na.mssante.fr"}
    assert listed.patients == {Identifier(kind=IdentifierKind.IPP, authority="finess:400011177", value="7")}


def test_nobody_is_on_a_test_list_and_a_test_patient_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(with_destination('only_to = ["ins:275116410204507"]'))
    assert [(fault.table, fault.key) for fault in caught.value.faults] == [("destinations.promess", "only_to")]
    assert "275116410204507" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (with_source('mode = "load"'), 'ch : mode = "load"'),
        (with_source('mode = "shadow"'), 'ch : mode = "shadow"'),
        (with_source('letters = "observe"'), 'ch : letters = "observe"'),
        (with_destination('only_to = ["essai@na.mssante.fr"]'), "promess : à l'essai"),
    ],
)
def test_what_is_not_open_yet_stays_in_sight(text: str, said: str) -> None:
    (warning,) = read(text).warnings
    assert warning.startswith(said) and "mssante" not in warning
