"""What intake says when the facts contradict the state, or when it takes them with a remark."""

from __future__ import annotations

from liaison.finding import Finding, Severity

#: Reason of a decision, not a finding.
ALREADY_HELD = "Ce document attend déjà qu'une personne décide de son envoi à ce destinataire : il n'est pas retenu deux fois."
NUMBER_OF_ANOTHER = Finding(
    severity=Severity.FATAL,
    where="MRG-1",
    rule="hub.number-of-another-patient",
    message="Le nouvel identifiant est déjà celui d'un autre patient : le message est gardé sans effet.",
    remedy="Un changement d'identifiant (A47) donne un numéro neuf ; deux dossiers se réunissent par une fusion (A40).",
    condition="205",
)
ALREADY_GIVEN = "Ce document a déjà été adressé à ce destinataire : il n'est pas envoyé deux fois."
SAME_CONTROL_ID = Finding(
    severity=Severity.WARNING,
    where="MSH-10",
    rule="hub.control-id-reused",
    message="Cet identifiant de message a déjà servi pour un autre contenu : le message est pris, mais un renvoi ne sera pas reconnu.",
    remedy="Donnez à chaque message un MSH-10 unique (HL7 v2.5 §2.15.9.10).",
)
INS_ELSEWHERE = Finding(
    severity=Severity.WARNING,
    where="PID-3",
    rule="hub.ins-of-another-record",
    message="Le matricule INS est déjà celui d'un autre dossier de l'établissement : aucun rapprochement n'est fait.",
    remedy="Vérifiez un doublon probable auprès de la cellule d'identitovigilance, puis fusionnez (A40).",
)
VISIT_OF_ANOTHER = Finding(
    severity=Severity.FATAL,
    where="PV1-19",
    rule="hub.visit-of-another-patient",
    message="Ce numéro de venue est déjà celui d'un autre patient : le message est gardé sans effet.",
    remedy="Un numéro de venue ne se réutilise pas (PAM.fr §5.4.1) ; une réattribution s'annonce par A44.",
    condition="207",
)
GIVER_UNKNOWN = Finding(
    severity=Severity.WARNING,
    where="MRG-1",
    rule="hub.reattribution-of-unknown",
    message="Le patient qui perd le dossier (MRG-1) n'est pas connu : il n'y a rien à réattribuer.",
    remedy="Vérifiez que MRG-1 porte l'IPP sous lequel les mouvements du dossier ont été émis (PAM.fr §5.3).",
)
DOCUMENT_OF_ANOTHER = Finding(
    severity=Severity.FATAL,
    where="PID-3",
    rule="hub.document-of-another-patient",
    message="Ce document, ou celui qu'il remplace, est connu pour un autre patient : rien n'est envoyé.",
    remedy="Vérifiez le patient du document ; s'il a changé, retirez le premier et publiez-en un nouveau.",
    condition="207",
)
DOCUMENT_CONFLICT = Finding(
    severity=Severity.FATAL,
    where="OBX-5",
    rule="hub.document-conflict",
    message="Un autre contenu est déjà connu sous cet identifiant de document : rien n'est envoyé.",
    remedy="Donnez un nouvel identifiant à chaque version (ClinicalDocument/id) et remplacez par RPLC.",
    condition="207",
)
TOO_MANY_MOVEMENTS = Finding(
    severity=Severity.FATAL,
    where="PV1-19",
    rule="hub.too-many-movements",
    message="Une même venue porte plus de mouvements qu'aucun séjour réel : le numéro de venue sert sans doute à tous.",
    remedy="Donnez à chaque venue son propre PV1-19.",
    condition="207",
)
NOBODY = Finding(
    severity=Severity.FATAL,
    where="PID-3",
    rule="hub.unknown-patient",
    message="Le message ne permet de reconnaître aucun patient.",
    remedy="Renseignez l'IPP en PID-3 (CX-4 et CX-5 = PI).",
    condition="101",
)
