"""A fuzzer that looks for bytes which take a new path through the readers: HL7 messages, files of any sort, headers of CDA.

It is no test and pytest does not collect it: ``make fuzz`` runs it for ten minutes in an environment of its own, since nothing else
needs atheris. By hand, with a folder for what it learns (it goes on from there the next time) and any option of libFuzzer:

    python -m tests.fuzz.atheris_messages FOLDER -max_total_time=600

It stops at the first input that breaks a promise of tests/fuzz/promises.py and writes it as ``crash-…`` beside the folder; give that
file's path instead of the folder to see it again. The first byte of an input says how the rest comes in: a message of a protocol, a file, a document.
With LIAISON_CORPUS the corpus's messages are among the seeds.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris  # pyright: ignore[reportMissingModuleSource]  # only its stub is in the project’s own environment

with atheris.instrument_imports(include=["liaison.hl7", "liaison.cda", "liaison.mappings", "liaison.hub", "liaison.hprim"]):
    from liaison.cda.header import read_header
    from liaison.cda.xml import CdaError
    from tests.acceptance import letters
    from tests.fuzz.damage import CHARSETS, STRANGE, VALUES
    from tests.fuzz.messages import CANARIES, invented, official
    from tests.fuzz.promises import broken_by, read

#: The longest input: a letter is some 20 kB, and a longer input finds little more.
LONGEST = 30_000
MESSAGE, FILE, DOCUMENT = b"mfd"
_NAMES = b"MSH EVN PID PD1 ROL NK1 PV1 PV2 ZBE ZFA ZFV ZFM ZFD MRG OBR ORC OBX PRT NTE TXA CTD FHS BHS BTS FTS MSA ERR ZAM".split()


class BrokenPromise(AssertionError):
    """Reading did what it promises never to do."""


def try_input(data: bytes) -> None:
    """Read one input as its first byte says."""
    way, raw = data[:1], data[1:]
    if way == bytes([DOCUMENT]):
        _read_document(raw)
        return
    reading = read(raw, file=way == bytes([FILE]))
    if broken := broken_by(reading):
        raise BrokenPromise(", ".join(broken))


def _read_document(raw: bytes) -> None:
    try:
        findings = read_header(raw).findings
    except CdaError as fault:
        findings = (fault.finding,)
    told = "".join(f"{one.where}{one.rule}{one.message}{one.remedy}" for one in findings)
    if any(name in told for name in CANARIES):
        raise BrokenPromise("nobody is named in a finding")


def write_seeds(folder: Path) -> None:
    """Whole inputs to begin with, beside what was learnt before."""
    document = letters.document(1, "N3").replace(b"DARRIEUX", CANARIES[0].encode())
    seeds = [bytes([way]) + raw for raw in (*invented(), *official()) for way in (MESSAGE, FILE)]
    folder.mkdir(parents=True, exist_ok=True)
    for seed in (*seeds, bytes([DOCUMENT]) + document, bytes([FILE]) + document):
        (folder / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)


def write_dictionary(path: Path) -> None:
    """Words that chance alone would take long to find."""
    words = (
        *_NAMES,
        *VALUES,
        *CHARSETS,
        *STRANGE,
        *(f"A{number:02}".encode() for number in range(1, 56)),
        b"Z99",
        b"UPDATE",
        b"T10",
    )
    lines = ["".join(f"\\x{byte:02x}" for byte in word) for word in words if 0 < len(word) <= 60]
    path.write_text("".join(f'"{line}"\n' for line in lines), "ascii")


def main() -> None:
    """Fuzz in the folder that is named, or show one input again."""
    arguments = sys.argv[1:]
    places = [Path(one) for one in arguments if not one.startswith("-")]
    options = list[str]()
    if places and not places[0].is_file():
        write_seeds(places[0])
        words = places[0].with_name(f"{places[0].name}.dict")
        write_dictionary(words)
        options = [f"-max_len={LONGEST}", f"-dict={words}", f"-artifact_prefix={places[0].parent}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, *arguments], try_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
