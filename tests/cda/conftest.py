"""An invented document header; INS of the test OID."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from liaison.cda.datatypes import Address, Code, InstanceId, Name, Telecom, TimeStamp
from liaison.cda.header import Encounter, Header, Order, ServiceEvent
from liaison.cda.parties import Actor, Organisation, Patient

_LOINC = "2.16.840.1.113883.6.1"
_WINTER = timezone(timedelta(hours=1))


def _at(hour: int) -> TimeStamp:
    return TimeStamp(at=datetime(2026, 11, 20, hour, 30, tzinfo=_WINTER), precision=14, has_offset=True)


_HOSPITAL = Organisation(
    ids=(InstanceId(root="1.2.250.1.71.4.2.2", extension="1400011177"),),
    name="Centre hospitalier de Mont-de-Marsan",
    telecoms=(Telecom(value="tel:0558000000", use="WP"),),
    addresses=(Address(lines=("1 rue des Platanes", "40000 MONT-DE-MARSAN")),),
)
_DOCTOR = Actor(
    at=_at(11),
    ids=(InstanceId(root="1.2.250.1.71.4.2.1", extension="810100000017"),),
    specialty=Code(code="G15_10/SM26", system="1.2.250.1.213.1.1.4.5", label="Médecin - Médecine générale (SM)"),
    name=Name(family="LABAT", given="Maylis", prefix="MME", suffix="DR"),
    organisation=_HOSPITAL,
)


@pytest.fixture
def header() -> Header:
    setting = Code(code="ETABLISSEMENT", system="1.2.250.1.213.1.1.4.9", label="Établissement de santé")
    return Header(
        realm="FR",
        type_id=InstanceId(root="2.16.840.1.113883.1.3", extension="POCD_HD000040"),
        templates=(
            InstanceId(root="2.16.840.1.113883.2.8.2.1"),
            InstanceId(root="1.2.250.1.213.1.1.1.1"),
            InstanceId(root="1.3.6.1.4.1.19376.1.2.20"),
        ),
        id=InstanceId(root="2.25.301"),
        code=Code(code="11490-0", system=_LOINC, label="Lettre de liaison à la sortie d'un établissement de soins"),
        title="Lettre de liaison à la sortie",
        created=_at(11),
        confidentiality=Code(code="N", system="2.16.840.1.113883.5.25", label="Normal"),
        language="fr-FR",
        set_id=InstanceId(root="2.25.300"),
        version=2,
        patient=Patient(
            ids=(
                InstanceId(root="1.2.250.1.213.1.4.10", extension="275116410204507"),
                InstanceId(root="1.2.250.1.999.1", extension="800042"),
            ),
            birth_family="DARRIEUX",
            used_family="LAFITTE",
            given_names="ODETTE JEANNE",
            first_given="ODETTE",
            used_given="ODETTE",
            family_qualifiers=("BR", "CL"),
            given_qualifiers=("", "BR", "CL"),
            gender="F",
            birth_time=TimeStamp(at=datetime(1975, 11, 3, tzinfo=_WINTER), precision=8, has_offset=False),
            birthplace_cog="64102",
            birthplace_city="BAYONNE",
            telecoms=(Telecom(value="tel:0600000000", use="MC"),),
            addresses=(Address(use="H", lines=("3 impasse du Lavoir", "40000 MONT-DE-MARSAN", "FRANCE")),),
        ),
        authors=(_DOCTOR,),
        custodian=_HOSPITAL,
        recipients=(
            Actor(
                ids=(InstanceId(root="1.2.250.1.71.4.2.1", extension="810100000025"),),
                name=Name(family="DUPOUY", given="Bertrand", suffix="DR"),
                organisation=Organisation(name="Cabinet médical de la Midouze"),
            ),
        ),
        legal_authenticator=Actor(at=_at(11), signature="S", ids=_DOCTOR.ids, name=_DOCTOR.name, organisation=_HOSPITAL),
        participants=(
            Actor(
                type_code="INF",
                function=Code(code="PCP", system="2.16.840.1.113883.5.88", label="Médecin traitant"),
                at=_at(9),
                ids=(InstanceId(root="1.2.250.1.71.4.2.1", extension="810100000025"),),
                name=Name(family="DUPOUY", given="Bertrand", suffix="DR"),
            ),
        ),
        orders=(
            Order(
                id=InstanceId(root="1.2.250.1.999.7", extension="D-77"),
            ),
        ),
        service_events=(
            ServiceEvent(
                code=Code(code="IMP", system="2.16.840.1.113883.5.4", label="Hospitalisation"),
                start=_at(8),
                stop=_at(11),
                performer=Actor(
                    type_code="PRF",
                    ids=_DOCTOR.ids,
                    name=_DOCTOR.name,
                    organisation=Organisation(ids=_HOSPITAL.ids, name=_HOSPITAL.name, setting=setting),
                ),
            ),
        ),
        replaces=InstanceId(root="2.25.299"),
        encounter=Encounter(
            ids=(InstanceId(root="1.2.250.1.999.2", extension="V-9"),),
            code=Code(code="IMP", system="2.16.840.1.113883.5.4", label="Hospitalisation"),
            start=_at(8),
            stop=_at(11),
            facility=Code(code="SA01", system="1.2.250.1.71.4.2.4", label="Établissement public de santé"),
            place="Médecine interne",
        ),
        level="N1",
        media_type="application/pdf",
    )


@pytest.fixture
def corpus() -> Path:
    """The corpus of official examples, where the environment names it."""
    place = os.environ.get("LIAISON_CORPUS")
    if place is None:
        pytest.skip("LIAISON_CORPUS n'est pas défini : le corpus n'est pas lu")
    return Path(place)
