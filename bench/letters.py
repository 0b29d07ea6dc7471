"""ORU^R01 that carry a CDA N1 with a PDF: each another document of another patient, made without encoding everything anew."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime

from bench.people import BORN, COG, FAMILY, GIVEN, GIVENS, PS_AUTHORITY, ins, ipp, pid
from liaison.cda.build import build_n1
from liaison.cda.datatypes import Code, InstanceId, Name, TimeStamp
from liaison.cda.header import Encounter, Header, ServiceEvent
from liaison.cda.parties import Actor, Organisation, Patient

#: What is replaced in each document, of a fixed width.
_DOCUMENT, _IPP, _INS = b"2.25.100000000000000000", ipp(0).encode(), ins(0).encode()
_MESSAGE = r"""MSH|^~\&|DPI|CHMDM^400011177^M|LIAISON|GCS|20261121163000||ORU^R01^ORU_R01|@CONTROL@|P|2.5|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2
@PID@
PV1|1|I|6268^CH12^LIT2^CHMDM&400011177&M
ORC|NW
OBR|1|||11490-0^Lettre de liaison à la sortie^LN|||20261121163000
OBX|1|ED|11490-0^Lettre de liaison à la sortie^LN||^TEXT^XML^Base64^@DOCUMENT@||||||F
PRT||UC||SB^Send By^participation|10001234567^RÉAULT^Pierre^^^^^^@PS@^D^^^RPPS
@RECIPIENT@OBX|2|CE|MASQUE_PS^MASQUE_PS^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F
OBX|3|CE|INVISIBLE_PATIENT^INVISIBLE_PATIENT^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F
OBX|4|CE|INVISIBLE_REP_LEGAUX^INVISIBLE_REP_LEGAUX^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F
OBX|5|CE|CONNEXION_SECRETE^CONNEXION_SECRETE^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F
OBX|6|CE|DESTDMP^DESTDMP^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F
OBX|7|CE|DESTMSSANTEPS^DESTMSSANTEPS^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F
OBX|8|CE|DESTMSSANTEPAT^DESTMSSANTEPAT^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F
"""


class Letters:
    """Messages that differ in control id, patient and document. ``to`` is the professional's address; empty: nobody is named.

    Different names (three letters) make different documents.
    """

    def __init__(self, content: bytes, *, to: str = "", name: str = "BIG") -> None:
        # base64 twice: the PDF inside the CDA, the CDA inside the message.
        document = _n1(content)
        end = document.index(b"<component>") // 3 * 3
        self._head, tail = document[:end], base64.b64encode(document[end:])
        assert all(self._head.count(one) == 1 for one in (_DOCUMENT, _IPP, _INS))
        recipient = (
            f"PRT||UC||RCT^Result Copies To^participation|899700000017^DUPOUY^Claire^^^^^^{PS_AUTHORITY}^D^^^IDNPS{'|' * 10}^^X.400^{to}\r"
            if to
            else ""
        )
        text = _MESSAGE.replace("@RECIPIENT@", recipient).replace("@PS@", PS_AUTHORITY).replace("\n", "\r")
        before, after = text.encode().split(b"@DOCUMENT@")
        self._before, self._after = before, tail + after
        self._name = name.encode()
        self._serial = itertools.count(1)

    def letter(self, person: int) -> tuple[bytes, bytes]:
        """The control id and the message of a new letter about a patient."""
        serial = next(self._serial)
        number = b"2.25.1%08d%09d" % (int.from_bytes(self._name[:3], "big"), serial)
        head = self._head.replace(_DOCUMENT, number).replace(_IPP, ipp(person).encode()).replace(_INS, ins(person).encode())
        control_id = self._name + b"%012d" % serial
        before = self._before.replace(b"@CONTROL@", control_id).replace(b"@PID@", pid(person).encode())
        return control_id, before + base64.b64encode(head) + self._after


def _n1(content: bytes) -> bytes:
    """A discharge letter with the header that the CI-SIS asks for."""
    moment = TimeStamp(at=datetime(2026, 11, 20, 9, 15, tzinfo=UTC), precision=14, has_offset=True)
    hospital = Organisation(ids=(InstanceId(root="1.2.250.1.71.4.2.2", extension="1400011177"),), name="CH de Mont-de-Marsan")
    doctor = Actor(
        at=moment,
        ids=(InstanceId(root="1.2.250.1.71.4.2.1", extension="810001234567"),),
        name=Name(family="RÉAULT", given="Pierre"),
        organisation=hospital,
    )
    header = Header(
        realm="FR",
        type_id=InstanceId(root="2.16.840.1.113883.1.3", extension="POCD_HD000040"),
        templates=(),
        id=InstanceId(root=_DOCUMENT.decode()),
        code=Code(code="11490-0", system="2.16.840.1.113883.6.1", label="Lettre de liaison à la sortie"),
        title="Lettre de liaison à la sortie",
        created=moment,
        confidentiality=Code(code="N", system="2.16.840.1.113883.5.25", label="Normal"),
        language="fr-FR",
        set_id=None,
        version=1,
        patient=Patient(
            ids=(
                InstanceId(root="1.2.250.1.213.1.4.10", extension=_INS.decode()),
                InstanceId(root="1.2.250.1.999.1", extension=_IPP.decode()),
            ),
            birth_family=FAMILY,
            given_names=GIVENS,
            first_given=GIVEN,
            gender="F",
            birth_time=TimeStamp(at=datetime.strptime(BORN, "%Y%m%d").replace(tzinfo=UTC), precision=8, has_offset=False),
            birthplace_cog=COG,
        ),
        authors=(doctor,),
        custodian=hospital,
        legal_authenticator=doctor,
        service_events=(
            ServiceEvent(
                code=Code(code="IMP", system="2.16.840.1.113883.5.4", label="Hospitalisation"),
                start=moment,
                stop=moment,
                performer=doctor,
            ),
        ),
        encounter=Encounter(
            start=moment,
            stop=moment,
            facility=Code(code="SA01", system="1.2.250.1.71.4.2.4", label="Etablissement public de santé"),
        ),
        level="N1",
        media_type="application/pdf",
    )
    return build_n1(header, content)
