"""A hospital's day in small: stays with their movements, corrections, merges and letters, each patient's in order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from bench.letters import Letters
from bench.people import HOSPITAL, PS_AUTHORITY, ipp, pid

#: Messages of one stay, and of how many stays one has it: all of A31 A01 A02 Z99 A31 A02 A03, and now and then the others.
MERGES_EVERY, LETTERS_EVERY = 9, 6
#: Of the letters, one in how many is the large one.
_LARGE_EVERY = 5

_VERSION = "2.5^FRA^2.11|||||FRA|UNICODE UTF-8|FR||2.11^IHE_FRANCE-2.11-PAM"


class Feed:
    """One connection's messages: control ids and bytes, without end. Two feeds share no patient."""

    def __init__(self, number: int, small: Letters, large: Letters, *, letters_every: int = LETTERS_EVERY) -> None:
        self._rank = number
        self._small, self._large, self._letters_every = small, large, letters_every
        self._serial = itertools.count(1)
        self._random = random.Random(number)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for stay in itertools.count(1):
            person = self._rank * 1_000_000 + stay
            visit = f"{self._rank:03}{stay:07}"
            moves = [f"{visit}{move}" for move in range(3)]
            yield self._message("A31^ADT_A05", person, pv1="PV1|1|N")
            yield self._message("A01^ADT_A01", person, visit, moves[0], "20261120101500")
            yield self._message("A02^ADT_A02", person, visit, moves[1], "20261120141500", unit="6270")
            yield self._message("Z99^ADT_A01", person, visit, moves[0], "20261120100000", action="UPDATE", original="A01")
            yield self._message("A31^ADT_A05", person, pv1="PV1|1|N")
            yield self._message("A03^ADT_A03", person, visit, moves[2], "20261121161500", unit="6270", left="20261121161500")
            turn = stay + 2 * self._rank  # feeds that went in step would send all their large letters in one moment
            if turn % self._letters_every == 0:
                letters = self._large if turn // self._letters_every % _LARGE_EVERY == 0 else self._small
                yield letters.letter(person)
            if turn % MERGES_EVERY == 0:  # who is absorbed had no letter: one on its way would be held
                absorbed = person - 1
                mrg = f"MRG|{ipp(absorbed)}^^^{HOSPITAL}^PI"
                yield self._message("A40^ADT_A39", person, pv1="", last=mrg)

    def _message(
        self,
        event: str,
        person: int,
        visit: str = "",
        movement: str = "",
        at: str = "20261120101500",
        *,
        unit: str = "6268",
        action: str = "INSERT",
        original: str = "",
        left: str = "",
        pv1: str | None = None,
        last: str = "",
    ) -> tuple[bytes, bytes]:
        control_id = f"MIX{self._rank:03}{next(self._serial):012}"
        number = f"{visit}^^^{HOSPITAL}^VN"
        stay = (
            f"PV1|1|I|{unit}^CH12^LIT2^{HOSPITAL}|R|||10001234567^RÉAULT^Pierre^^^^^^{PS_AUTHORITY}^D^^^RPPS{'|' * 12}{number}"
            f"{'|' * 25}20261120101500|{left}|||||V"
        )
        ward = f"Chirurgie viscérale^^^^^{HOSPITAL}^UF^^^{unit}"
        zbe = f"ZBE|{movement}^CHMDM^400011177^M|{at}||{action}|N|{original}|{ward}|{ward}|HMS" if movement else ""
        segments = (
            rf"MSH|^~\&|GAM|CHMDM^400011177^M|LIAISON|GCS|{at}||ADT^{event}|{control_id}|P|{_VERSION}",
            f"EVN||{at}||||{at}",
            pid(person),
            "PD1||U||||||||||N",
            last or (stay if pv1 is None else pv1),
            zbe,
        )
        return control_id.encode(), "".join(f"{segment}\r" for segment in segments if segment).encode()


def pdf(size: int) -> bytes:
    """A one-page PDF of about that many bytes, most of them an image that nothing compresses."""
    pixels = random.Random(7).randbytes(max(3, size - 900) // 3 * 3)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /XObject << /I 4 0 R >> >> /Contents 5 0 R >>",
        b"<< /Type /XObject /Subtype /Image /Width %d /Height 1 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Length %d >>\nstream\n%b\nendstream"
        % (len(pixels) // 3, len(pixels), pixels),
        b"<< /Length 30 >>\nstream\nq 500 0 0 700 40 70 cm /I Do Q\nendstream",
    ]
    out = bytearray(b"%PDF-1.4\n")
    places: list[int] = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)
