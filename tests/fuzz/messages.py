"""Whole messages to damage: invented ones, and the corpus's where there is one, each with a patient who must be found nowhere else."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from tests.acceptance import feed, letters
from tests.hub.er7 import letter_message
from tests.mappings.pam import adt

#: The patient's name and number: no finding, no reply and no repr may hold any part of them.
NAME = "ZQXCANARI"
NUMBER = "7741903CAN"
CANARIES = (NAME, NUMBER)
#: Larger messages of the corpus are damaged too slowly to be worth it.
_LARGEST = 60_000

_SECOND = f"PID|2||{NUMBER}B^^^CH&400011177&M^PI||{NAME}^PAUL^^^^^L|||||||||||||||||||||||||||VALI"
_GP = "ROL||UC|ODRP|810001234567^MARTIN^Anne^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"


def planted(raw: bytes) -> bytes:
    """A message whose first PID names the patient, whoever it named before."""
    at = raw.find(b"PID|")
    if at < 0:
        return raw
    end = min((found for found in (raw.find(b"\r", at), raw.find(b"\n", at)) if found >= 0), default=len(raw))
    fields = raw[at:end].split(b"|")
    fields += [b""] * (6 - len(fields))
    for number, value in ((3, NUMBER), (5, NAME)):
        fields[number] = value.encode() + b"^" + fields[number].partition(b"^")[2]
    return raw[:at] + b"|".join(fields) + raw[end:]


def _movement(event: str, **changes: str) -> bytes:
    return adt(event, changes).raw


@lru_cache(maxsize=1)
def invented() -> tuple[bytes, ...]:
    """One message of each kind that the hub acts upon, and of some that it does not."""
    person = feed.pid(ipp="1", family="X", given="ODETTE", givens="ODETTE JEANNE")
    raw = [
        _movement("A01", PID_then=f"PD1||||||||||||Y\r{_GP}", ZFA_9="IO", ZFV_11="MED", ZFD_4="N", PV2_8="20260105"),
        _movement("A03", ZFM_2="8", ZFM_4="7", PV1_37="400000022", PV1_41="D", PV1_45="20260109110000", ZBE_1="M2^CH^400011177^M"),
        _movement("A13", ZBE_4="CANCEL", ZBE_6="A03", ZBE_1="M2^CH^400011177^M"),
        _movement("Z99", ZBE_4="UPDATE", ZBE_6="A01"),
        _movement("A06", ZBE_4="CANCEL", ZBE_6="A07", PV1_2="E"),
        _movement("A01", ZBE_0="", MSH_18="8859/15", PID_5="GAUTIÉ^ANNE^^^^^L").decode().encode("iso8859-15"),
        _movement("A40", PID_then=f"MRG|{NUMBER}C^^^CH&400011177&M^PI\r{_SECOND}\rMRG|4004^^^CH&400011177&M^PI"),
        _movement("A24", PID_then=_SECOND),
        _movement("A47", PID_then="MRG|2002^^^CH&400011177&M^PI"),
        feed.letter("L1", letters.document(1, "N1"), person=person, visit="V1", to=[letters.GP], mail_body="Bonjour"),
        feed.bare_pdf("L2", b"%PDF-1.4\n%%EOF", person=person, visit="V1", to=[letters.GP]),
        letter_message(replaces=True),
        letter_message(withdraws=True),
        b"MSH|^~\\&|GP|CABINET|LIAISON|GCS|20260105||ACK^T02^ACK|9|P|2.6\rMSA|AA|42\r",
    ]
    return tuple(map(planted, raw))


@lru_cache(maxsize=1)
def official() -> tuple[bytes, ...]:
    """The corpus's messages, planted; none where LIAISON_CORPUS is not set."""
    place = os.environ.get("LIAISON_CORPUS")
    if place is None:
        return ()
    files = (path for path in sorted(Path(place, "hl7v2").iterdir()) if path.suffix in (".er7", ".hl7"))
    return tuple(planted(raw) for path in files if len(raw := path.read_bytes()) <= _LARGEST)
