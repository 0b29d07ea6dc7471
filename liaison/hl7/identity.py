"""PID, PD1, MRG and ZFD: who the patient is, as PAM.fr constrains it (PAM.fr §6.6, §6.7, §6.18; data types N.1, N.6, N.10)."""

from __future__ import annotations

from liaison.finding import Finding
from liaison.hl7.datatypes import Cx, Xpn, read_cx, read_xpn
from liaison.hl7.faults import error, information, warning
from liaison.hl7.message import NULL, Repetition, Segment
from liaison.hl7.timestamp import normal_date
from liaison.private import Private

#: Table 0445 as France constrains it (PAM.fr §6.6.15): states, then attributes that ride beside a state.
IDENTITY_STATES = frozenset(
    {
        "VIDE",
        "PROV",
        "VALI",
        "DOUB",
        "DESA",
        "DPOT",
        "DOUA",
        "HOMD",
        "COLP",
        "COLV",
        "FILI",
        "CACH",
        "ANOM",
        "IDVER",
        "RECD",
        "IDRA",
    }
    | {"USUR", "INVA"}
)
IDENTITY_ATTRIBUTES = frozenset({"HOMA", "FICT", "DOUT"})
#: Fields that France forbids (PAM.fr §6.6); among them religion, ethnicity and social security number.
FORBIDDEN_PID_FIELDS = (2, 4, 9, 10, 12, 17, 19, 20, 22, 28)
#: ZFD-5 (PAM.fr §6.18).
COLLECTION_MODES = frozenset({"SM", "CV", "INSI", "CB", "RFID"})
#: PID-5.7 that may stand for the name of birth where no ``L`` is given, best first: older tables, then nothing said.
_BIRTH_NAME_TYPES = ("L", "B", "M", "", "U")

NAME_MISSING = warning(
    "hl7.name-missing",
    "PID-5 ne donne aucun nom exploitable (PAM.fr §6.6.2, nom de naissance obligatoire).",
    "Émettre le nom de naissance avec le type L.",
    "101",
)
BIRTH_NAME_TYPE = warning(
    "hl7.birth-name-type",
    "Aucune répétition de PID-5 n’a le type L : le nom de naissance est pris dans une autre répétition (PAM.fr §6.6.2).",
    "Émettre toujours le nom de naissance avec PID-5.7 = L.",
    "103",
)
NO_BIRTH_NAME = error(
    "hl7.birth-name-missing",
    "PID-5 ne porte pas de nom de naissance, seulement un nom utilisé ou un pseudonyme (PAM.fr §6.6.2).",
    "Émettre le nom de naissance avec PID-5.7 = L.",
    "101",
)
NAME_TYPE = information(
    "hl7.name-type",
    "PID-5.7 porte un type de nom hors de L, D, S, U : la répétition n’est pas employée (type XPN, annexe N.10).",
    "N’employer que les types L (naissance), D (utilisé), S (pseudonyme) et U.",
)
FIRST_NAME_FROM_LIST = information(
    "hl7.first-name-from-list",
    "Le premier prénom (PID-5.2) est vide : il est pris en tête de la liste des prénoms (PID-5.3, PAM.fr §6.6.2).",
    "Renseigner PID-5.2 avec le premier prénom de naissance.",
)
FIRST_NAME_NOT_IN_LIST = warning(
    "hl7.first-name-not-in-list",
    "Le premier prénom (PID-5.2) n’est pas en tête de la liste des prénoms de naissance (PID-5.3, PAM.fr §6.6.2).",
    "Renseigner PID-5.2 avec le début de la liste rendue par le téléservice INSi.",
)
BIRTH_DATE = warning(
    "hl7.birth-date",
    "PID-7 n’est pas une date du calendrier : seule l’année en est gardée, ou rien (PAM.fr §6.6 ; date lunaire en ZFD-1).",
    "Renseigner PID-7 sous la forme AAAAMMJJ ; porter une date lunaire dans ZFD-1.",
    "102",
)
BIRTH_DATE_TIME = information(
    "hl7.birth-date-time",
    "PID-7 porte une heure après la date de naissance : elle est écartée.",
    "Écrire PID-7 sur huit chiffres.",
)
SEX = warning(
    "hl7.sex",
    "PID-8 est hors de F, M, U (PAM.fr §6.6, table 0001 ; O retiré en 2.11).",
    "Renseigner PID-8 avec F, M ou U.",
    "103",
)
BIRTHPLACE = warning(
    "hl7.birthplace-cog",
    "L’adresse de naissance (PID-11, type BDL) ne donne pas de code COG de cinq caractères en XAD-9 (type XAD, annexe N.6).",
    "Écrire le code INSEE de la commune ou du pays de naissance en PID-11.9, avec PID-11.7 = BDL.",
    "103",
)
BIRTHPLACE_MOVED = information(
    "hl7.birthplace-component",
    "Le code COG du lieu de naissance n’est pas en XAD-9 mais dans une composante voisine (type XAD, annexe N.6).",
    "Écrire le code INSEE en PID-11.9.",
)
COUNTRY = information(
    "hl7.country-code",
    "XAD-6 n’est pas un code de pays ISO 3166 à trois lettres : « 100 » ou « 99100 » sont lus FRA (type XAD, annexe N.6).",
    "Écrire « FRA » en XAD-6.",
)
STATUS_MISSING = warning(
    "hl7.identity-status-missing",
    "PID-32 est absent alors qu’il est obligatoire depuis PAM.fr 2.10 : l’identité est tenue pour non qualifiée (PAM.fr §6.6.15).",
    "Renseigner PID-32 avec le statut de l’identité : PROV ou VALI.",
    "101",
)
STATUS_UNKNOWN = warning(
    "hl7.identity-status-unknown",
    "PID-32 porte un code hors de la table 0445 (PAM.fr §6.6.15).",
    "N’employer que les codes de la table 0445 française.",
    "103",
)
FORBIDDEN_FIELD = information(
    "hl7.pid-forbidden-field",
    "Un champ de PID que la France interdit est valué : il n’est pas lu (PAM.fr §6.6).",
    "Ne plus émettre ce champ.",
)
COLLECTION_MODE = information(
    "hl7.collection-mode",
    "ZFD-5 est hors de SM, CV, INSI, CB, RFID (PAM.fr §6.18).",
    "Renseigner ZFD-5 avec le mode d’obtention de l’identité.",
)


class Person(Private, frozen=True, kw_only=True):
    """What one PID says. Empty strings stand for what is absent or was removed with ``""``."""

    #: PID-3, every repetition in order.
    identifiers: tuple[Cx, ...]
    #: PID-18.
    episode: Cx | None
    birth_name: str
    first_given_name: str
    given_names: str
    used_name: str
    used_given_name: str
    #: ``YYYYMMDD``, ``YYYYMM`` or ``YYYY``.
    birth_date: str
    #: F, M, U or empty.
    sex: str
    birthplace_cog: str
    #: PID-32, every repetition.
    statuses: tuple[str, ...]
    #: PID-30 and PID-29; ``died`` is None when neither is there.
    died: bool | None
    died_on: str


class Demographics(Private, frozen=True, kw_only=True):
    """ZFD, what the hub uses of it."""

    #: ZFD-4 = Y: the birth date was corrected, so that no INS may travel.
    birth_date_corrected: bool
    #: ZFD-5: SM, CV, INSI, CB, RFID.
    collection_mode: str
    #: ZFD-7.
    proof: str


def read_person(pid: Segment, findings: list[Finding]) -> Person:
    """Read a PID; never fails."""
    findings.extend(FORBIDDEN_FIELD.at(pid.where(field)) for field in FORBIDDEN_PID_FIELDS if pid.raw_field(field))
    birth, used = _names(pid, findings)
    episode = tuple(read_cx(repetition) for repetition in pid.repetitions(18)[:1])
    died, died_on = _death(pid)
    return Person(
        identifiers=read_identifiers(pid, 3),
        episode=episode[0] if episode and episode[0].value and not episode[0].deletes else None,
        birth_name=_said(birth.family) if birth else "",
        first_given_name=_first_given_name(birth, findings) if birth else "",
        given_names=_said(birth.given_names) if birth else "",
        used_name=_said(used.family) if used else "",
        used_given_name=_said(used.given) if used else "",
        birth_date=_birth_date(pid, findings),
        sex=_sex(pid, findings),
        birthplace_cog=_birthplace(pid, findings),
        statuses=_statuses(pid, findings),
        died=died,
        died_on=died_on,
    )


def read_identifiers(segment: Segment, field: int) -> tuple[Cx, ...]:
    """PID-3 or MRG-1: every repetition that has a value, a deletion included."""
    return tuple(cx for cx in map(read_cx, segment.repetitions(field)) if cx.value)


def read_demographics(zfd: Segment, findings: list[Finding]) -> Demographics:
    """Read a ZFD."""
    mode = zfd.value(5).strip().upper()
    if mode and mode not in COLLECTION_MODES:
        findings.append(COLLECTION_MODE.at(zfd.where(5)))
    return Demographics(
        birth_date_corrected=zfd.value(4).strip().upper() == "Y",
        collection_mode=mode,
        proof=zfd.value(7).strip().upper(),
    )


def is_cog(code: str) -> bool:
    """Whether a code is shaped as one of the COG: five digits, ``2A`` or ``2B`` allowed in front."""
    return len(code) == 5 and code.isascii() and code[2:].isdigit() and (code[:2].isdigit() or code[:2] in ("2A", "2B"))


def _said(text: str) -> str:
    return "" if text == NULL else text


def _names(pid: Segment, findings: list[Finding]) -> tuple[Xpn | None, Xpn | None]:
    """The name of birth and the used name (or, for want of any other, the pseudonym)."""
    by_type: dict[str, Xpn] = {}
    for repetition in pid.repetitions(5):
        name = read_xpn(repetition)
        if name.family or name.given or name.given_names:
            by_type.setdefault(name.type, name)
            if name.type not in ("L", "D", "S", "U", ""):
                findings.append(NAME_TYPE.at(repetition.where))
    birth = next((by_type[kind] for kind in _BIRTH_NAME_TYPES if kind in by_type), None)
    used = by_type.get("D") or (by_type.get("S") if birth is None else None)
    if birth is None:
        findings.append((NO_BIRTH_NAME if used else NAME_MISSING).at(pid.where(5)))
    elif birth.type != "L":
        findings.append(BIRTH_NAME_TYPE.at(birth.where))
    return birth, used


def _first_given_name(birth: Xpn, findings: list[Finding]) -> str:
    given, listed = _said(birth.given), _said(birth.given_names)
    if not given and listed:
        findings.append(FIRST_NAME_FROM_LIST.at(birth.where))
        return listed.split(" ", 1)[0]
    if listed and not listed.casefold().startswith(given.casefold()):
        findings.append(FIRST_NAME_NOT_IN_LIST.at(birth.where))
    return given


def _birth_date(pid: Segment, findings: list[Finding]) -> str:
    text = _said(pid.value(7).strip())
    if (
        len(text) == 8
        and text.isascii()
        and text.isdigit()
        and "1850" <= text[:4]
        and "01" <= text[4:6] <= "12"
        and "01" <= text[6:] <= "28"
    ):
        return text  # what nearly all messages carry, without the cost of a full reading
    if not text:
        return ""
    date = normal_date(text)
    if date is not None:
        if len(text) > 8:
            findings.append(BIRTH_DATE_TIME.at(pid.where(7)))
        return date
    findings.append(BIRTH_DATE.at(pid.where(7)))
    return text[:4] if len(text) in (6, 8) and text.isascii() and text.isdigit() and "1850" <= text[:4] <= "2199" else ""


def _sex(pid: Segment, findings: list[Finding]) -> str:
    sex = _said(pid.value(8).strip().upper())
    if sex in ("F", "M", "U", ""):
        return sex
    findings.append(SEX.at(pid.where(8)))
    return "U" if sex == "O" else ""


def _birthplace(pid: Segment, findings: list[Finding]) -> str:
    """The COG of the first birth address that has one."""
    faulty: Repetition | None = None
    for repetition in pid.repetitions(11):
        if "100" in repetition.raw and repetition.component(6).strip() in ("100", "99100"):
            findings.append(COUNTRY.at(f"{repetition.where}.6"))
        if "BDL" not in repetition.raw or not any(repetition.component(number).strip() == "BDL" for number in (7, 8, 6)):
            continue
        for component in (9, 8, 10):
            code = repetition.component(component).strip().upper()
            if is_cog(code):
                if component != 9:
                    findings.append(BIRTHPLACE_MOVED.at(f"{repetition.where}.{component}"))
                return code
        faulty = faulty or repetition
    if faulty is not None:
        findings.append(BIRTHPLACE.at(f"{faulty.where}.9"))
    return ""


def _statuses(pid: Segment, findings: list[Finding]) -> tuple[str, ...]:
    if not pid.raw_field(32):
        findings.append(STATUS_MISSING.at(pid.where(32)))
        return ()
    statuses: list[str] = []
    for repetition in pid.repetitions(32):
        code = _said(repetition.component(1).strip().upper())
        if not code:
            continue
        if code in IDENTITY_STATES or code in IDENTITY_ATTRIBUTES:
            statuses.append(code)
        else:
            findings.append(STATUS_UNKNOWN.at(repetition.where))
    return tuple(statuses)


def _death(pid: Segment) -> tuple[bool | None, str]:
    indicator, date = pid.value(30).strip().upper(), pid.value(29).strip()
    if indicator == "Y" or (date and date != NULL):
        return True, _said(date)
    return (False, "") if indicator or date else (None, "")
