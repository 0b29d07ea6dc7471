"""The identity gate: nothing leaves for a doubtful identity, and what may leave without a qualified INS.

Sources: PAM.fr §6.6.15 (PID-32, table 0445 as France extends it), hl7v2 digest §3.5 "Gate for the hub",
référentiel socle MSSanté n° 2 ECO.2.2.6 (a patient's address is built from a qualified INS only).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from liaison.care.person import Ins, Professional
from liaison.rules.decision import Objection, Outcome, Owner

#: PID-32 codes that put the identity itself in doubt, with what they say.
DOUBTFUL: Final[Mapping[str, str]] = {
    "FICT": "fictive",
    "DOUT": "douteuse",
    "DOUB": "doublon",
    "DOUA": "doublon avéré",
    "USUR": "usurpée",
    "INVA": "invalidée",
    "ANOM": "anonyme",
    "CACH": "cachée",
}

#: Rule of a letter that leaves without a qualified INS; the last look compares with it.
DEROGATION: Final = "gates.identity.no-ins-derogation"
DEROGATION_REASON: Final = (
    "Identité sans INS qualifiée : l'envoi à un professionnel reste permis par dérogation (référentiel socle MSSanté n° 2)."
)


class PatientView(Protocol):
    """What the rules look at in a patient's state."""

    @property
    def statuses(self) -> tuple[str, ...]:
        """Codes of PID-32."""
        ...

    @property
    def ins(self) -> Ins | None:
        """The qualified INS, or None."""
        ...

    @property
    def treating_physician(self) -> Professional | None:
        """The médecin traitant (ROL ODRP), or None when nobody said."""
        ...

    @property
    def merged_into(self) -> str:
        """The identity that has absorbed this one; empty while it stands for itself."""
        ...


def doubtful_identity(statuses: tuple[str, ...]) -> Objection | None:
    """Hold whatever concerns an identity that its own hospital doubts, letters and events alike.

    Events are held too, and not dropped: a person admitted unconscious is ``DOUT`` today and somebody tomorrow, and what
    happened to them in between must still be told.
    """
    doubts = [code for code in statuses if code in DOUBTFUL]
    if not doubts:
        return None
    named = ", ".join(f"{code} {DOUBTFUL[code]}" for code in doubts)
    return Objection(
        outcome=Outcome.HOLD,
        reason=f"Identité douteuse selon l'établissement (PID-32 : {named}) : il doit la lever ou retirer l'envoi.",
        rule="gates.identity.doubtful",
        owner=Owner.HOSPITAL,
    )


def merged_identity(merged_into: str) -> Objection | None:
    """Hold a letter whose patient has been absorbed by another identity since (A40): it still names the old one."""
    if not merged_into:
        return None
    return Objection(
        outcome=Outcome.HOLD,
        reason="L'identité de la lettre a été fusionnée dans une autre depuis : l'établissement confirme ou renvoie la lettre.",
        rule="gates.identity.merged",
        owner=Owner.HOSPITAL,
    )


def same_ins(carried: Ins | None, known: Ins | None) -> Objection | None:
    """Hold a document that carries another qualified INS than the patient's."""
    if carried is None or known is None or carried == known:
        return None
    return Objection(
        outcome=Outcome.HOLD,
        reason="L'INS portée par le document n'est pas celle du patient : l'établissement vérifie de qui parle la lettre.",
        rule="gates.identity.other-ins",
        owner=Owner.HOSPITAL,
    )


def patient_mailbox(local_part: str, matricule: str, ins: Ins | None) -> Objection | None:
    """Let a patient's address through only when it is the one that their qualified INS makes.

    ``local_part`` is what stands before the @, ``matricule`` what PRT-5 says (empty when it says nothing). Neither is ever
    corrected: a differing digit is somebody else's mailbox.
    """
    if ins is None:
        return Objection(
            outcome=Outcome.HOLD,
            reason="Envoi au patient sans INS qualifiée dans le message (PID-32 = VALI et traits stricts) : ECO.2.2.6 l'interdit.",
            rule="gates.identity.patient-without-ins",
            owner=Owner.HOSPITAL,
        )
    if local_part != ins.matricule or matricule not in ("", ins.matricule):
        return Objection(
            outcome=Outcome.HOLD,
            reason="L'adresse ou le matricule du patient destinataire diffère de son INS qualifiée : l'établissement corrige le PRT.",
            rule="gates.identity.patient-address",
            owner=Owner.HOSPITAL,
        )
    return None


def ins_lost() -> Objection:
    """Hold a letter that was to leave with a qualified INS which the hospital has withdrawn since."""
    return Objection(
        outcome=Outcome.HOLD,
        reason="L'INS qualifiée du patient a été retirée depuis la décision : l'établissement confirme ou renvoie la lettre.",
        rule="gates.identity.ins-lost",
        owner=Owner.HOSPITAL,
    )
