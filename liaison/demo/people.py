"""Invented people of the Landes: patients with matricules of the INS test OID, and their physicians.

Nobody here exists. Matricules carry the test OID 1.2.250.1.213.1.4.10, physicians the RPPS range of the national test cards
(``8997…``), mailboxes a training domain.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta

from liaison.private import Private


class Commune(Private, frozen=True, kw_only=True):
    """A commune of the Landes with its INSEE code (COG)."""

    name: str
    cog: str
    postal_code: str


class Physician(Private, frozen=True, kw_only=True):
    """A physician: a general practitioner with a mailbox, or a hospital's own."""

    rpps: str  #: 11 digits
    family: str
    given: str
    sex: str
    commune: Commune
    #: MSSanté address; empty for somebody whose mailbox is nowhere published.
    address: str = ""
    #: Code and label of the specialty (JDV_J01), e.g. ``G15_10/SM26``.
    specialty: str = "G15_10/SM26"
    specialty_label: str = "Médecin - Qualifié en Médecine Générale (SM)"

    @property
    def label(self) -> str:
        return f"Dr {self.given} {self.family}"


class Patient(Private, frozen=True, kw_only=True):
    """An invented patient. ``ins`` is what the national service would answer; hospitals only send it when they qualified it."""

    sex: str  #: ``M`` or ``F``
    birth_name: str
    given_names: tuple[str, ...]
    used_name: str
    birth_date: date
    birthplace: Commune
    street: str
    commune: Commune
    phone: str
    ins: str  #: 15 characters, key included
    physician: Physician | None


def _communes(text: str) -> tuple[Commune, ...]:
    rows = (line.split("|") for line in text.strip().splitlines())
    return tuple(Commune(name=name, cog=cog, postal_code=postal_code) for name, cog, postal_code in rows)


COMMUNES = _communes("""\
Mont-de-Marsan|40192|40000
Dax|40088|40100
Saint-Paul-lès-Dax|40279|40990
Saint-Pierre-du-Mont|40281|40280
Tarnos|40312|40220
Biscarrosse|40046|40600
Saint-Vincent-de-Tyrosse|40284|40230
Capbreton|40065|40130
Aire-sur-l'Adour|40001|40800
Mimizan|40184|40200
Parentis-en-Born|40217|40160
Saint-Sever|40282|40500
Hagetmau|40119|40700
Peyrehorade|40224|40300
Soustons|40310|40140
Labouheyre|40134|40210
Tartas|40313|40400
Roquefort|40245|40120
Villeneuve-de-Marsan|40331|40190
Grenade-sur-l'Adour|40117|40270
Pouillon|40233|40350
Gabarret|40102|40310
""")

_FAMILY = [
    "Lafitte",
    "Dupouy",
    "Darrigade",
    "Lalanne",
    "Labarthe",
    "Dubroca",
    "Castaings",
    "Cazenave",
    "Ducasse",
    "Lacoste",
    "Laborde",
    "Duprat",
    "Larrieu",
    "Dubos",
    "Saint-Martin",
    "Laffargue",
    "Bordenave",
    "Lamarque",
    "Dulucq",
    "Tastet",
    "Barrère",
    "Cabannes",
    "Labadie",
    "Lesbats",
    "Darracq",
    "Dupeyron",
    "Garbay",
    "Lasserre",
    "Desclaux",
    "Marsan",
    "Bégu",
    "Cassagne",
    "Daugreilh",
    "Lartigue",
    "Pédelaborde",
    "Sentucq",
    "Dehez",
    "Larroque",
    "Vielle",
    "Monségur",
]
_GIVEN = {
    "M": [
        "Jean",
        "Pierre",
        "André",
        "Michel",
        "Claude",
        "Roger",
        "Henri",
        "Bernard",
        "Guy",
        "Robert",
        "Jacques",
        "Serge",
        "Alain",
        "Gérard",
        "Marcel",
        "Francis",
        "Yves",
        "Raymond",
    ],
    "F": [
        "Marie",
        "Jeanne",
        "Monique",
        "Jacqueline",
        "Simone",
        "Odette",
        "Yvette",
        "Colette",
        "Huguette",
        "Andrée",
        "Josette",
        "Ginette",
        "Nicole",
        "Denise",
        "Hélène",
        "Régine",
        "Françoise",
        "Mireille",
    ],
}
_GP_GIVEN = {
    "M": ["Thomas", "Julien", "Benoît", "Xavier", "Olivier", "Mathieu"],
    "F": ["Claire", "Sophie", "Élodie", "Camille", "Anne", "Maïté"],
}
_STREETS = [
    "rue des Pins",
    "avenue du Marsan",
    "chemin de l'Airial",
    "rue du Moulin",
    "allée des Chênes",
    "place des Arènes",
    "route de Bayonne",
    "impasse des Bruyères",
    "rue de la Résine",
    "avenue des Martyrs",
    "rue du 8 Mai 1945",
    "chemin du Gemmeur",
]

#: RPPS numbers of the test range begin so; no real professional has one.
_TEST_RPPS = "8997"
#: A domain of the training space, so that nothing sent by mistake reaches a physician.
TRAINING_DOMAIN = "medecin.formation.mssante.fr"


def plain(text: str) -> str:
    """``text`` in lower case ASCII letters, digits and hyphens: for mail addresses and file names."""
    letters = unicodedata.normalize("NFKD", text.replace("'", "-").replace(" ", "-"))
    return "".join(c for c in letters if c.isascii() and (c.isalnum() or c == "-")).lower()


def luhn_digit(digits: str) -> str:
    """The check digit that RPPS and FINESS end with."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def matricule(sex: str, born: date, birthplace_cog: str, order: int) -> str:
    """The 15 characters of a matricule INS with its key (97 minus the number modulo 97, Corsica as 19/18)."""
    body = f"{'1' if sex == 'M' else '2'}{born:%y%m}{birthplace_cog}{order:03d}"
    number = int(body.replace("2A", "19").replace("2B", "18"))
    return f"{body}{97 - number % 97:02d}"


def _rpps(rng: random.Random) -> str:
    body = f"{_TEST_RPPS}{rng.randrange(10**6):06d}"
    return body + luhn_digit(body)


def make_physicians(rng: random.Random, count: int = 12) -> tuple[Physician, ...]:
    """General practitioners of the Landes, all but the last with a mailbox: the last one is not in the directory."""
    physicians: list[Physician] = []
    families = rng.sample(_FAMILY, count)
    for index, family in enumerate(families):
        sex = rng.choice("MF")
        given = rng.choice(_GP_GIVEN[sex])
        address = f"{plain(given)}.{plain(family)}@{TRAINING_DOMAIN}" if index < count - 1 else ""
        commune = COMMUNES[rng.randrange(len(COMMUNES))]
        physicians.append(Physician(rpps=_rpps(rng), family=family, given=given, sex=sex, commune=commune, address=address))
    return tuple(physicians)


def make_hospital_physician(rng: random.Random, commune: Commune, specialty: tuple[str, str]) -> Physician:
    """A physician of a ward, who writes its letters."""
    sex = rng.choice("MF")
    return Physician(
        rpps=_rpps(rng),
        family=rng.choice(_FAMILY),
        given=rng.choice(_GP_GIVEN[sex]),
        sex=sex,
        commune=commune,
        specialty=specialty[0],
        specialty_label=specialty[1],
    )


def make_patient(rng: random.Random, physicians: Sequence[Physician], today: date) -> Patient:
    """A patient of 45 to 97 years, born and living in the Landes; one in twenty-five has no treating physician."""
    sex = rng.choice("MF")
    birth_name = rng.choice(_FAMILY)
    given_names = tuple(rng.sample(_GIVEN[sex], rng.choice((1, 2, 2, 3))))
    married = sex == "F" and rng.random() < 0.7
    born = today - timedelta(days=round(rng.triangular(45, 97, 79) * 365.25))
    birthplace = rng.choice(COMMUNES)
    return Patient(
        sex=sex,
        birth_name=birth_name.upper(),
        given_names=tuple(name.upper() for name in given_names),
        used_name=rng.choice([name for name in _FAMILY if name != birth_name]).upper() if married else "",
        birth_date=born,
        birthplace=birthplace,
        street=f"{rng.randint(1, 148)} {rng.choice(_STREETS)}",
        commune=rng.choice(COMMUNES),
        phone=f"06{rng.randrange(10**8):08d}",
        ins=matricule(sex, born, birthplace.cog, rng.randint(1, 899)),
        physician=None if rng.random() < 0.04 else rng.choice(physicians),
    )


#: Header of the national extraction of MSSanté mailboxes (31 columns, ``|``, UTF-8).
_DIRECTORY_COLUMNS = (
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|Type identifiant structure|"
    "Identification Structure|Service de rattachement|Civilité d'exercice|Nom d'exercice|Prénom d'exercice|"
    "Catégorie profession|Libellé de catégorie profession|Code Profession|Libellé Profession|Code savoir-faire|"
    "Libellé savoir-faire|Dématérialisation|Raison Sociale structure BAL|Enseigne commerciale structure BAL|"
    "L2COMPLEMENTLOCALISATION structure BAL|L3COMPLEMENTDISTRIBUTION structure BAL|L4NUMEROVOIE structure BAL|"
    "L4COMPLEMENTNUMEROVOIE structure BAL|NL4TYPEVOIE structure BAL|L4LIBELLEVOIE structure BAL|L5LIEUDITMENTION structure BAL|"
    "L6LIGNEACHEMINEMENT structure BAL|Code postal structure BAL|Département structure BAL|Pays structure BAL"
)


def directory(physicians: Sequence[Physician]) -> str:
    """The physicians' mailboxes as a file in the layout of Extraction_Correspondance_MSSante."""
    lines = [_DIRECTORY_COLUMNS]
    for physician in physicians:
        if not physician.address:
            continue
        place = physician.commune
        head = ["PER", physician.address, "8", physician.rpps, "8" + physician.rpps, "", "", ""]
        person = ["DR", physician.family.upper(), physician.given, "C", "Civil", "10", "Médecin", "SM26"]
        skill = [
            "Qualifié en Médecine Générale (SM)",
            "O",
            f"CABINET DU DR {physician.family.upper()}",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
        ]
        tail = [f"{place.postal_code} {place.name.upper()}", place.postal_code, "Landes", "France"]
        lines.append("|".join(head + person + skill + tail))
    return "\n".join(lines) + "\n"
