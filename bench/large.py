"""Letters of 600 kB: ORU^R01 whose OBX-5 carries a CDA N1 with a PDF, each a new document of another patient."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.hub import running_hub
from bench.processes import Meter
from bench.report import Table
from liaison.cda.build import build_n1
from liaison.cda.datatypes import Code, InstanceId, Name, TimeStamp
from liaison.cda.header import Encounter, Header, ServiceEvent
from liaison.cda.parties import Actor, Organisation, Patient

LARGE = Table(
    "connections",
    "message kB",
    "acknowledged/s",
    "MB/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "hub CPU, cores",
    "peak memory RSS / PSS, MB",
    "messages",
    "drain s",
    "missing",
)
START, END = b"\x0b", b"\x1c\r"
#: What is replaced in each document, of a fixed width.
DOCUMENT, PERSON = b"2.25.1000000000000", b"IPP0000000000"
MESSAGE = r"""MSH|^~\&|DPI|CHMDM^400011177^M|LIAISON|GCS|20261120101500||ORU^R01^ORU_R01|@CONTROL@|P|2.5|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2
PID|1||@PERSON@^^^HOPITAL&1.2.250.1.999.1&ISO^PI||DARRIEUX^ODETTE^ODETTE JEANNE^^Mme^^L||19751103|F|||||||||||||||||||||N||PROV
PV1|1|I|6268^CH12^LIT2^CHMDM&400011177&M
ORC|NW
OBR|1|||11490-0^Lettre de liaison à la sortie^LN|||20261120101500
OBX|1|ED|11490-0^Lettre de liaison à la sortie^LN||^TEXT^XML^Base64^@DOCUMENT@||||||F
PRT||UC||SB^Send By^participation|10001234567^RÉAULT^Pierre^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^RPPS
OBX|2|CE|DESTMSSANTEPS^Destinataire PS^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F
"""


class Letters:
    """Messages that differ in their control id, their patient's IPP and their document's id, without encoding everything anew."""

    def __init__(self, size: int) -> None:
        # base64 twice: the PDF inside the CDA, the CDA inside the message.
        document = n1(random.Random(1).randbytes(size * 9 // 16 - 3_000))
        end = document.index(b"<component>") // 3 * 3
        self._head, tail = document[:end], base64.b64encode(document[end:])
        assert self._head.count(DOCUMENT) == self._head.count(PERSON) == 1
        before, after = MESSAGE.replace("\n", "\r").encode().split(b"@DOCUMENT@")
        self._before, self._after = before, tail + after
        self._serial = itertools.count(1)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Control ids and messages, without end."""
        for serial in self._serial:
            person = b"IPP%010d" % serial
            head = self._head.replace(DOCUMENT, b"2.25.1%012d" % serial).replace(PERSON, person)
            control_id = b"BIG%012d" % serial
            before = self._before.replace(b"@CONTROL@", control_id).replace(b"@PERSON@", person)
            yield control_id, before + base64.b64encode(head) + self._after


def n1(content: bytes) -> bytes:
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
        id=InstanceId(root=DOCUMENT.decode()),
        code=Code(code="11490-0", system="2.16.840.1.113883.6.1", label="Lettre de liaison à la sortie"),
        title="Lettre de liaison à la sortie",
        created=moment,
        confidentiality=Code(code="N", system="2.16.840.1.113883.5.25", label="Normal"),
        language="fr-FR",
        set_id=None,
        version=1,
        patient=Patient(
            ids=(InstanceId(root="1.2.250.1.999.1", extension=PERSON.decode()),),
            birth_family="DARRIEUX",
            given_names="ODETTE JEANNE",
            first_given="ODETTE",
            gender="F",
            birth_time=TimeStamp(at=datetime(1975, 11, 3, tzinfo=UTC), precision=8, has_offset=False),
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


async def _send(port: int, letters: Iterator[tuple[bytes, bytes]], ends: float, acked: Path, times: list[float]) -> None:
    """One connection, one letter in flight, until ``ends``. Raises SystemExit for any answer but AA."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with acked.open("ab", buffering=0) as ids:
        while time.monotonic() < ends:
            control_id, message = next(letters)
            began = time.monotonic()
            writer.write(START + message + END)
            answer = await reader.readuntil(END)
            if b"\rMSA|AA|" + control_id not in answer:
                raise SystemExit(f"answered otherwise than AA: {answer.decode()}")
            times.append(time.monotonic() - began)
            ids.write(control_id + b"\n")
    writer.close()


async def _load(port: int, letters: Letters, connections: int, seconds: float, acked: Path) -> list[float]:
    times: list[float] = []
    ends, feed = time.monotonic() + seconds, iter(letters)
    await asyncio.gather(*(_send(port, feed, ends, acked, times) for _ in range(connections)))
    return sorted(times)


def large(work: Path, seconds: float, connections: Iterable[int], size: int = 600_000) -> None:
    """One row for each number of connections."""
    letters = Letters(size)
    LARGE.head()
    for count in connections:
        acked = work / "acked.ids"
        acked.unlink(missing_ok=True)
        with running_hub(work / "hub") as hub, Meter(hub.process.pid) as whole:
            with Meter(hub.process.pid) as taking:
                times = asyncio.run(_load(hub.port, letters, count, seconds, acked))
            drain = hub.drain()
            length = len(next(iter(letters))[1])
            LARGE.row(
                count,
                f"{length / 1e3:.0f}",
                f"{len(times) / seconds:,.0f}",
                f"{len(times) * length / seconds / 1e6:.0f}",
                *(f"{times[int((len(times) - 1) * share)] * 1e3:.0f}" for share in (0.5, 0.95, 0.99)),
                f"{taking.cores:.2f}",
                f"{whole.rss:.0f} / {whole.pss:.0f}",
                len(times),
                f"{drain:.1f}",
                hub.missing(acked),
            )
