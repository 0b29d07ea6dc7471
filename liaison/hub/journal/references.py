"""What may not be in a journal: rows that refer to nothing, and lanes that are not whole. Data for ``verify``."""

from __future__ import annotations

import msgspec

#: UTC day (YYYYMMDD) of an id, as ``records.day_of`` makes it.
_DAY = "CAST(strftime('%Y%m%d', ({0} >> 20) / 1000, 'unixepoch') AS INTEGER)"
_OPEN = "('pending', 'sending', 'retrying', 'uncertain')"
_HAS_KEY = "EXISTS (SELECT 1 FROM keys.subject_key k WHERE k.subject = printf('%016x', t.{0}))"


def _no_message(column: str) -> str:
    """A message that is not there, though retention did not take it out."""
    return f"""NOT EXISTS (SELECT 1 FROM message m WHERE m.day = {_DAY.format(column)} AND m.id = {column}) AND {column} >
        coalesce((SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = 'retention/messages'), 0)"""


_NO_DELIVERY = "NOT EXISTS (SELECT 1 FROM delivery d WHERE d.day = t.day AND d.id = t.delivery)"
_NO_PATIENT = "NOT EXISTS (SELECT 1 FROM patient p WHERE p.id = t.patient)"
_IN_LANE = "d.patient = t.patient AND d.destination = t.destination"


class Rule(msgspec.Struct, frozen=True):
    """What may not be."""

    table: str
    #: French, without identity.
    what: str
    #: Finds such rows, each by an opaque id. ``keys`` is the store of subject keys.
    query: str


RULES: tuple[Rule, ...] = (
    Rule("blob", "des octets sans leur message", f"SELECT id FROM blob t WHERE {_no_message('t.id')}"),
    Rule(
        "message",
        "des octets à deux endroits",
        "SELECT t.id FROM message t JOIN blob b ON b.day = t.day AND b.id = t.id WHERE t.raw IS NOT NULL",
    ),
    Rule("event", "un événement sans son message", f"SELECT message FROM event t WHERE {_no_message('t.message')}"),
    Rule("delivery", "une livraison sans son message", f"SELECT id FROM delivery t WHERE {_no_message('t.message')}"),
    Rule(
        "delivery",
        "une livraison ouverte dont l'événement manque",
        f"""SELECT id FROM delivery t WHERE document IS NULL AND work IN {_OPEN} AND NOT EXISTS (SELECT 1 FROM event e
        WHERE e.day = {_DAY.format("t.message")} AND e.message = t.message AND e.ordinal = t.ordinal)""",
    ),
    Rule("attempt", "un essai sans sa livraison", f"SELECT delivery FROM attempt t WHERE {_NO_DELIVERY}"),
    Rule("receipt", "un accusé sans sa livraison", f"SELECT delivery FROM receipt t WHERE {_NO_DELIVERY}"),
    Rule("parcel", "un courrier sans sa livraison", f"SELECT delivery FROM parcel t WHERE {_NO_DELIVERY}"),
    Rule("hold", "une retenue sans son message", f"SELECT id FROM hold t WHERE {_no_message('t.message')}"),
    Rule(
        "hold",
        "une retenue sans sa livraison",
        f"""SELECT id FROM hold t WHERE delivery IS NOT NULL AND NOT EXISTS (SELECT 1 FROM delivery d
        WHERE d.day = {_DAY.format("t.delivery")} AND d.id = t.delivery)""",
    ),
    Rule("proposal", "une proposition sans son message", f"SELECT id FROM proposal t WHERE {_no_message('t.message')}"),
    # Somebody who was erased has neither key nor state: what still hangs on them only waits to be swept.
    Rule("stay", "un séjour sans son patient", f"SELECT id FROM stay t WHERE {_NO_PATIENT} AND {_HAS_KEY.format('patient')}"),
    Rule(
        "document",
        "un document sans son patient",
        f"SELECT id FROM document t WHERE {_NO_PATIENT} AND {_HAS_KEY.format('patient')}",
    ),
    Rule(
        "identifier",
        "un identifiant qui mène à un patient perdu",
        f"""SELECT id FROM identifier t WHERE target = 'patient' AND {_HAS_KEY.format("id")}
        AND NOT EXISTS (SELECT 1 FROM patient p WHERE p.id = t.id)""",
    ),
    Rule(
        "patient",
        "un patient sans sa clé",
        f"""SELECT id FROM patient t WHERE NOT {_HAS_KEY.format("id")}
        AND printf('%016x', id) NOT IN (SELECT subject FROM keys.erased)""",
    ),
    Rule(
        "message",
        "un message dont la clé manque",
        """SELECT id FROM message t WHERE raw IS NOT NULL AND subject NOT IN (SELECT subject FROM keys.subject_key)
        AND subject NOT IN (SELECT subject FROM keys.erased)
        AND (subject LIKE 'source:%' OR subject IN (SELECT printf('%016x', id) FROM patient))""",
    ),
    Rule(
        "delivery",
        "une livraison hors de toute file",
        f"SELECT id FROM delivery d WHERE lane_seq IS NOT NULL AND NOT EXISTS (SELECT 1 FROM lane t WHERE {_IN_LANE})",
    ),
    Rule(
        "delivery",
        "une livraison ouverte sans place dans sa file",
        f"SELECT id FROM delivery WHERE lane_seq IS NULL AND work IN {_OPEN}",
    ),
    Rule(
        "lane",
        "une file dont la tête n'est pas la plus ancienne livraison ouverte",
        f"""SELECT patient FROM lane t WHERE head <> coalesce(
        (SELECT min(d.lane_seq) FROM delivery d WHERE {_IN_LANE} AND d.work IN {_OPEN}), last + 1)""",
    ),
    Rule(
        "lane",
        "une file sans échéance, ou une échéance sans rien à faire",
        "SELECT patient FROM lane WHERE (due IS NULL) <> (head > last)",
    ),
    Rule(
        "lane",
        "une file avec un trou",
        # Numbers before the head go with retention; from the head on none may be missing.
        f"""SELECT patient FROM lane t WHERE head <= last AND last - head + 1 <>
        (SELECT count(*) FROM delivery d WHERE {_IN_LANE} AND d.lane_seq BETWEEN t.head AND t.last)""",
    ),
    Rule(
        "lane",
        "une file avec un trou dans son passé",
        # Unless retention took deliveries out.
        f"""SELECT patient FROM lane t WHERE NOT EXISTS (SELECT 1 FROM meta WHERE name = 'retention/deliveries') AND last <>
        (SELECT count(*) FROM delivery d WHERE {_IN_LANE} AND d.lane_seq IS NOT NULL)""",
    ),
    Rule(
        "lane",
        "une file avec un numéro de trop",
        f"SELECT patient FROM lane t WHERE last < (SELECT max(d.lane_seq) FROM delivery d WHERE {_IN_LANE})",
    ),
)
