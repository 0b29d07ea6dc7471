"""What a production territory demands, and what of it is not there yet."""

from __future__ import annotations

from typing import Final

#: Every protection that DESIGN asks of a production territory and that this version lacks: (what, why it is demanded).
MISSING: Final[tuple[tuple[str, str], ...]] = (
    ("opposition", "l'opposition du patient à l'échange et au partage n'est pas encore recueillie ni vérifiée (CSP L1110-4)"),
    ("confidentialité", "les séjours et documents protégés (PV1-16, PD1-12, confidentialité R ou V) ne sont pas encore retenus"),
    ("certificats MSSanté", "l'authentification par certificat IGC-Santé auprès de l'opérateur n'est pas encore vérifiée"),
    ("PDF des émetteurs", "la retenue des PDF à contenu actif n’est pas encore éprouvée sur une collection hostile"),
)


def refusal() -> str:
    """Why this version does not start in production, in French, one line a missing protection."""
    return "cette version ne démarre pas en production ; il manque :" + "".join(f"\n  - {what} : {why}" for what, why in MISSING)
