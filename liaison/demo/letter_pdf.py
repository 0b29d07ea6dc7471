"""The letter as a PDF/A-1, as the hospital's own software would print it (the body of an N1)."""

from __future__ import annotations

from importlib import resources

import msgspec
import typst

from liaison.demo.letters import Letter


def french_date(value: object) -> str:
    """A date or datetime as ``JJ/MM/AAAA``."""
    return format(value, "%d/%m/%Y")


def letter_pdf(letter: Letter) -> bytes:
    """Render ``letter``. The template is fixed, the letter is its data."""
    patient, hospital = letter.subject.patient, letter.hospital
    physician = patient.physician
    used = f", nom utilisé {patient.used_name}" if patient.used_name else ""
    born = "née" if patient.sex == "F" else "né"
    stay = f"du {french_date(letter.admitted_at)} au {french_date(letter.left_at)}"
    data = {
        "title": letter.title,
        "hospital": hospital.name,
        "ward": letter.ward.label,
        "address": f"{hospital.street}, {hospital.commune.postal_code} {hospital.commune.name}",
        "phone": " ".join(hospital.phone[i : i + 2] for i in range(0, 10, 2)),
        "author": letter.author.label,
        "specialty": letter.author.specialty_label.removeprefix("Médecin - ").removesuffix(" (SM)"),
        "rpps": letter.author.rpps,
        "patient": f"{patient.birth_name} {patient.given_names[0].title()}{used}",
        "born": f"{born} le {french_date(patient.birth_date)} à {patient.birthplace.name}",
        "identifier": f"INS (test) {patient.ins}" if letter.subject.qualified else f"IPP {letter.subject.ipp}",
        "recipient": f"{physician.label}\n{physician.commune.name}" if physician else "Médecin traitant non déclaré",
        "place": hospital.commune.name,
        "date": french_date(letter.written_at),
        "written": [letter.written_at.year, letter.written_at.month, letter.written_at.day],
        "period": f"Séjour {stay}" if letter.left_at.date() != letter.admitted_at.date() else f"Le {french_date(letter.left_at)}",
        "reason": letter.reason,
        "story": letter.story,
        "allergies": letter.allergies,
        "treatments": [[drug.name, drug.dose, drug.frequency, drug.comment] for drug in letter.treatments],
        "stopped": [[drug.name, drug.comment] for drug in letter.stopped],
        "pending": letter.pending,
        "follow_up": [[step.who, french_date(step.on), step.what] for step in letter.follow_up],
    }
    template = resources.files("liaison.demo").joinpath("letter.typ").read_bytes()
    return typst.compile(
        template,
        format="pdf",
        pdf_standards=["a-1b"],
        sys_inputs={"letter": msgspec.json.encode(data).decode()},
        ignore_system_fonts=True,
        timestamp=int(letter.written_at.timestamp()),
    )
