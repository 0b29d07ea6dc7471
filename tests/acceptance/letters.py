"""Letters of an invented patient, written by the demonstration's own CDA writer, which shares nothing with the hub's reader."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta, timezone

from msgspec.structs import replace

from liaison.demo.conditions import CONDITIONS
from liaison.demo.hospital import BY_KEY, SPECIALTIES
from liaison.demo.letter_cda import cda
from liaison.demo.letters import Letter, Subject, discharge_letter
from liaison.demo.people import Commune, Patient, Physician, make_hospital_physician
from tests.acceptance import feed

#: A hub whose letters go to a mail server, and its events to a platform.
CONFIGURATION = """\
[hub]
name = "Landes"
territory = "test"

[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"

[letters]
nil = "DEV935997"

[destinations.platform]
kind = "webhook"
url = "{platform}"

[destinations.promess]
kind = "smtp"
server = "127.0.0.1:{submission}"
tls = "none"
sender = "liaison@na.mssante.fr"
label = "CH de Mont-de-Marsan – Cardiologie"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"

[[routes]]
documents = ["*"]
to = "promess"
recipients = ["named"]
"""

GP = "claire.dupouy@medecin.formation.mssante.fr"
#: Whom the letters to a referrer and to a structure ahead are for.
REFERRER = "luc.dubos@medecin.formation.mssante.fr"
EHPAD = "accueil@ehpad-des-pins.formation.mssante.fr"
INS = "275116410204507"
PATIENT_ADDRESS = f"{INS}@patient.mssante.fr"

_BAYONNE = Commune(name="BAYONNE", cog="64102", postal_code="64100")
_ODETTE = Patient(
    sex="F",
    birth_name="DARRIEUX",
    given_names=("ODETTE", "JEANNE"),
    used_name="LAFITTE",
    birth_date=date(1975, 11, 3),
    birthplace=_BAYONNE,
    street="3 impasse du Lavoir",
    commune=_BAYONNE,
    phone="0600000000",
    ins=INS,
    physician=Physician(rpps="89970000001", family="Dupouy", given="Claire", sex="F", commune=_BAYONNE, address=GP),
)
_WINTER = timezone(timedelta(hours=1))

#: PID of the same patient.
PERSON = feed.pid(ipp="800042", family="DARRIEUX", given="ODETTE", givens="ODETTE JEANNE", ins=INS)


def letter(seed: int, level: str, *, replaces: Letter | None = None) -> Letter:
    """The letter of a stay in cardiology; ``replaces`` makes it the next version of another."""
    rng = random.Random(seed)
    hospital = BY_KEY["ch-mont-de-marsan"]
    ward = hospital.ward("cardiologie")
    made = discharge_letter(
        rng,
        subject=Subject(patient=_ODETTE, ipp="800042", statuses=("VALI",), qualified=True),
        hospital=hospital,
        ward=ward,
        author=make_hospital_physician(rng, hospital.commune, SPECIALTIES["cardiologie"]),
        condition=CONDITIONS[0],
        admitted_at=datetime(2026, 11, 16, 9, 30, tzinfo=_WINTER),
        left_at=datetime(2026, 11, 20, 14, 0, tzinfo=_WINTER),
        written_at=datetime(2026, 11, 20, 15, 0, tzinfo=_WINTER),
        urgent=False,
        exit_mode=("8", ""),
    )
    if replaces is not None:
        made = replace(made, set_oid=replaces.set_oid, version=replaces.version + 1, replaces=replaces.oid)
    return replace(made, level=level)


def document(seed: int, level: str, *, replaces: Letter | None = None, address: str = "") -> bytes:
    """The same as a CDA; ``address`` is that of its informationRecipient."""
    written = cda(letter(seed, level, replaces=replaces))
    if not address:
        return written
    telecom = f'<telecom value="mailto:{address}" use="WP"/>'.encode()
    before, tag, after = written.partition(b"<informationRecipient>\n")
    role, name, rest = after.partition(b"<informationRecipient>")
    assert tag and name
    return before + tag + role + telecom + name + rest
