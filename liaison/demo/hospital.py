"""The hospitals of the demonstration: who they are, their wards with UF codes, and how their software speaks."""

from __future__ import annotations

import uuid

import msgspec

from liaison.demo.people import COMMUNES, Commune

_COMMUNE = {commune.name: commune for commune in COMMUNES}

#: Specialties (JDV_J01) of the physicians who sign in a ward, by kind of ward.
SPECIALTIES = {
    "cardiologie": ("G15_10/SM04", "Médecin - Cardiologie et maladies vasculaires (SM)"),
    "pneumologie": ("G15_10/SM41", "Médecin - Pneumologie (SM)"),
    "neurologie": ("G15_10/SM32", "Médecin - Neurologie (SM)"),
    "endocrinologie": ("G15_10/SM62", "Médecin - Endocrinologie, diabétologie, nutrition (SM)"),
    "geriatrie": ("G15_10/SM18", "Médecin - Gériatrie (SM)"),
    "urgences": ("G15_10/SM59", "Médecin - Médecine d'urgence (SM)"),
    "readaptation": ("G15_10/SM29", "Médecin - Médecine physique et réadaptation (SM)"),
    "consultations": ("G15_10/SM27", "Médecin - Médecine interne (SM)"),
}


class Ward(msgspec.Struct, frozen=True, kw_only=True):
    """A unité fonctionnelle: its code in the hospital's own referential, its label, and what it cares for."""

    uf: str
    label: str
    specialty: str


class Hospital(msgspec.Struct, frozen=True, kw_only=True):
    """An establishment and its software."""

    key: str  #: key of its source, ``ch-mont-de-marsan``
    name: str
    short: str
    finess: str
    commune: Commune
    street: str
    phone: str
    application: str  #: MSH-3
    #: ``ORU`` or ``MDM``: how it sends its letters (a CREATEUR picks one).
    letters: str
    #: Code and label of the kind of facility (JDV_J02).
    facility: tuple[str, str]
    wards: tuple[Ward, ...]
    #: Admissions a day, on average.
    admissions: float

    @property
    def oid(self) -> str:
        """The OID under which it numbers patients, made from its FINESS (arc 2.25 is free for all)."""
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'liaison-demo-{self.finess}').int}"

    def ward(self, specialty: str) -> Ward:
        """The ward for a specialty, else the first ward that is not an emergency or consultation one."""
        beds = self.beds
        return next((ward for ward in beds if ward.specialty == specialty), beds[0])

    @property
    def beds(self) -> tuple[Ward, ...]:
        return tuple(ward for ward in self.wards if ward.specialty not in ("urgences", "consultations"))

    @property
    def emergencies(self) -> Ward | None:
        return next((ward for ward in self.wards if ward.specialty == "urgences"), None)

    @property
    def consultations(self) -> Ward | None:
        return next((ward for ward in self.wards if ward.specialty == "consultations"), None)


def _wards(text: str) -> tuple[Ward, ...]:
    rows = (line.split("|") for line in text.strip().splitlines())
    return tuple(Ward(uf=uf, label=label, specialty=specialty) for uf, label, specialty in rows)


PUBLIC = ("SA01", "Etablissement public de santé")
PRIVATE = ("SA04", "Etablissement privé non PSPH")

HOSPITALS: tuple[Hospital, ...] = (
    Hospital(
        key="ch-mont-de-marsan",
        name="Centre hospitalier de Mont-de-Marsan",
        short="CH Mont-de-Marsan",
        finess="400011177",
        commune=_COMMUNE["Mont-de-Marsan"],
        street="417 avenue Pierre de Coubertin",
        phone="0558000000",
        application="GAP-MDM",
        letters="ORU",
        facility=PUBLIC,
        admissions=28,
        wards=_wards("""\
1101|Médecine cardiologique|cardiologie
1120|Pneumologie|pneumologie
1145|Neurologie et unité neuro-vasculaire|neurologie
1160|Endocrinologie et diabétologie|endocrinologie
1210|Court séjour gériatrique|geriatrie
1900|Service d'accueil des urgences|urgences
1950|Consultations externes de médecine|consultations
"""),
    ),
    Hospital(
        key="ch-dax",
        name="Centre hospitalier de Dax - Côte d'Argent",
        short="CH Dax",
        finess="400780193",
        commune=_COMMUNE["Dax"],
        street="boulevard Yves du Manoir",
        phone="0558000010",
        application="ADMISSIONS-DAX",
        letters="MDM",
        facility=PUBLIC,
        admissions=20,
        wards=_wards("""\
2010|Cardiologie|cardiologie
2020|Médecine polyvalente et maladies respiratoires|pneumologie
2035|Médecine gériatrique aiguë|geriatrie
2900|Urgences adultes|urgences
2950|Consultations spécialisées|consultations
"""),
    ),
    Hospital(
        key="clinique-des-pins",
        name="Clinique des Pins",
        short="Clinique des Pins",
        finess="400990016",
        commune=_COMMUNE["Saint-Paul-lès-Dax"],
        street="12 chemin de l'Airial",
        phone="0558000020",
        application="PINS-DPI",
        letters="MDM",
        facility=PRIVATE,
        admissions=8,
        wards=_wards("""\
MED1|Médecine interne et diabétologie|endocrinologie
MED2|Médecine cardio-respiratoire|cardiologie
CONS|Consultations|consultations
"""),
    ),
    Hospital(
        key="smr-adour",
        name="Centre de soins médicaux et de réadaptation de l'Adour",
        short="SMR de l'Adour",
        finess="400990024",
        commune=_COMMUNE["Saint-Sever"],
        street="3 route de Bayonne",
        phone="0558000030",
        application="SMR-ADOUR",
        letters="ORU",
        facility=PUBLIC,
        admissions=4,
        wards=_wards("""\
S100|Réadaptation cardio-respiratoire|readaptation
S200|Réadaptation gériatrique|geriatrie
"""),
    ),
)

BY_KEY = {hospital.key: hospital for hospital in HOSPITALS}
