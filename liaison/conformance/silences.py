"""What a feed could say and does not: each row asks how many of some messages say a thing, and what it costs when none does."""

from __future__ import annotations

from typing import Final

import msgspec

from liaison.conformance.marks import Mark
from liaison.finding import Severity


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a feed may say."""

    #: ``silence.<short-name>``.
    rule: str
    #: How bad it is that nothing says it.
    severity: Severity
    #: The messages that could say it, and those of them that do.
    among: Mark
    said: Mark
    #: Among what, in French, in the plural.
    base: str
    #: What is said, in French: « le médecin traitant (ROL ODRP) ».
    message: str
    #: What its silence costs, and what to do.
    remedy: str
    clause: str


SILENCES: Final = (
    Silence(
        rule="silence.identity-status",
        severity=Severity.WARNING,
        among=Mark.IDENTITY,
        said=Mark.IDENTITY_STATUS,
        base="messages avec patient",
        message="Le statut de l’identité (PID-32).",
        clause="PAM.fr §6.6.15",
        remedy="Émettre PID-32 dans chaque message : sans lui aucune identité n’est tenue pour qualifiée.",
    ),
    Silence(
        rule="silence.ins",
        severity=Severity.WARNING,
        among=Mark.IDENTITY,
        said=Mark.INS,
        base="messages avec patient",
        message="L’INS (PID-3, type INS).",
        clause="PAM.fr §6.6.1",
        remedy="Émettre l’INS des identités qualifiées : sans elle ni le DMP ni Mon espace santé ne peuvent être servis.",
    ),
    Silence(
        rule="silence.qualified-identity",
        severity=Severity.WARNING,
        among=Mark.IDENTITY,
        said=Mark.QUALIFIED,
        base="messages avec patient",
        message="Une identité qualifiée : INS présente et PID-32 = VALI.",
        clause="PAM.fr §6.6.1",
        remedy="Qualifier les identités par le téléservice INSi, puis émettre l’INS avec PID-32 = VALI.",
    ),
    Silence(
        rule="silence.treating-physician",
        severity=Severity.WARNING,
        among=Mark.ADMISSION,
        said=Mark.TREATING_PHYSICIAN,
        base="admissions et inscriptions (A01, A04)",
        message="Le médecin traitant (ROL, rôle ODRP).",
        clause="PAM.fr §6.8",
        remedy="Émettre le ROL ODRP juste après PID et PD1, avec le RPPS : sans lui la lettre de sortie n’a pas de destinataire connu.",
    ),
    Silence(
        rule="silence.movement-segment",
        severity=Severity.WARNING,
        among=Mark.MOVEMENT,
        said=Mark.MOVEMENT_SEGMENT,
        base="messages de mouvement",
        message="Le mouvement lui-même (segment ZBE).",
        clause="PAM.fr §6.13",
        remedy="Émettre ZBE dans chaque message de mouvement : sans lui ni correction ni annulation ne sont sûres.",
    ),
    Silence(
        rule="silence.medical-unit",
        severity=Severity.WARNING,
        among=Mark.MOVEMENT,
        said=Mark.MEDICAL_UNIT,
        base="messages de mouvement",
        message="L’UF de responsabilité médicale (ZBE-7.10).",
        clause="PAM.fr §5.1.1",
        remedy="Renseigner ZBE-7, composante 10 : c’est elle qui dit le service.",
    ),
    Silence(
        rule="silence.establishment",
        severity=Severity.INFORMATION,
        among=Mark.MOVEMENT,
        said=Mark.ESTABLISHMENT,
        base="messages de mouvement",
        message="L’établissement du lieu (PV1-3.4).",
        clause="PAM.fr §6.10",
        remedy="Renseigner PV1-3.4 avec le FINESS géographique, surtout si le flux porte plusieurs établissements.",
    ),
    Silence(
        rule="silence.admitted-at",
        severity=Severity.WARNING,
        among=Mark.MOVEMENT,
        said=Mark.ADMITTED_AT,
        base="messages de mouvement",
        message="La date d’admission (PV1-44).",
        clause="PAM.fr §6.10",
        remedy="Renseigner PV1-44 dans chaque message du séjour.",
    ),
    Silence(
        rule="silence.discharge",
        severity=Severity.WARNING,
        among=Mark.MOVEMENT,
        said=Mark.DISCHARGE,
        base="messages de mouvement",
        message="Une sortie définitive (A03).",
        clause="PAM.fr §2",
        remedy="Émettre A03 à chaque sortie : c’est elle qui déclenche le retour à domicile et attend la lettre.",
    ),
    Silence(
        rule="silence.discharged-at",
        severity=Severity.WARNING,
        among=Mark.DISCHARGE,
        said=Mark.DISCHARGED_AT,
        base="sorties (A03)",
        message="La date de sortie (PV1-45).",
        clause="PAM.fr §6.10",
        remedy="Renseigner PV1-45 dans A03.",
    ),
    Silence(
        rule="silence.exit-mode",
        severity=Severity.WARNING,
        among=Mark.DISCHARGE,
        said=Mark.EXIT_MODE,
        base="sorties (A03)",
        message="Le mode de sortie (ZFM-2).",
        clause="PAM.fr §6.17",
        remedy="Émettre ZFM dans A03 : sans lui un décès, un transfert et un retour à domicile se ressemblent.",
    ),
    Silence(
        rule="silence.destination",
        severity=Severity.INFORMATION,
        among=Mark.DISCHARGE,
        said=Mark.DESTINATION,
        base="sorties (A03)",
        message="La destination (ZFM-4).",
        clause="PAM.fr §6.17",
        remedy="Renseigner ZFM-4 quand le patient ne rentre pas chez lui : EHPAD, SMR, HAD.",
    ),
    Silence(
        rule="silence.expected-discharge",
        severity=Severity.INFORMATION,
        among=Mark.MOVEMENT,
        said=Mark.EXPECTED_DISCHARGE,
        base="messages de mouvement",
        message="La sortie prévue (A16).",
        clause="PAM.fr §5.3.6",
        remedy="Émettre A16 quand la sortie se prépare, si le logiciel le permet : la ville peut alors s’y préparer.",
    ),
    Silence(
        rule="silence.correction",
        severity=Severity.INFORMATION,
        among=Mark.MOVEMENT,
        said=Mark.CORRECTION,
        base="messages de mouvement",
        message="Une correction de mouvement (Z99).",
        clause="PAM.fr §5.3.2",
        remedy="Vérifier que le logiciel émet Z99 quand un mouvement est corrigé ; un jour sans aucune correction est rare.",
    ),
    Silence(
        rule="silence.cancel",
        severity=Severity.INFORMATION,
        among=Mark.MOVEMENT,
        said=Mark.CANCEL,
        base="messages de mouvement",
        message="Une annulation (A11, A12, A13, A38…).",
        clause="PAM.fr §2.2",
        remedy="Vérifier que le logiciel émet les annulations : sans elles une admission par erreur reste un séjour.",
    ),
    Silence(
        rule="silence.identity-event",
        severity=Severity.INFORMATION,
        among=Mark.MESSAGE,
        said=Mark.IDENTITY_EVENT,
        base="messages",
        message="La vie de l’identité (A28, A31, A47).",
        clause="PAM.fr §4.4",
        remedy="Vérifier que le flux porte les messages d’identité : une INS obtenue après l’admission vient par A31.",
    ),
    Silence(
        rule="silence.merge",
        severity=Severity.INFORMATION,
        among=Mark.MESSAGE,
        said=Mark.MERGE,
        base="messages",
        message="Une fusion d’identités (A40).",
        clause="PAM.fr §4.4",
        remedy="Vérifier que le flux porte A40 : sans lui un doublon corrigé à l’hôpital reste deux patients ici.",
    ),
    Silence(
        rule="silence.letter",
        severity=Severity.INFORMATION,
        among=Mark.MESSAGE,
        said=Mark.LETTER,
        base="messages",
        message="Une lettre ou un compte rendu (ORU^R01, MDM).",
        clause="CI-SIS, Transmission de documents CDA en HL7v2",
        remedy="Si les lettres passent par un autre flux, l’examiner de même ; sinon rien ne partira vers les médecins.",
    ),
)
