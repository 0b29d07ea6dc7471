"""French names of segments and fields, and of the codes in their tables, for people who read a message with us.

Each field is one line: its number, how it reads, its name. How it reads is a data type (CX, XPN, TS…), ``=`` and a table's
name where its first component is a code, or ``-`` for plain text. Names after PAM.fr 2.11 §6 and CI-SIS volets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SEGMENTS: Final[Mapping[str, str]] = {
    "MSH": "En-tête du message", "EVN": "Événement", "PID": "Patient", "PD1": "Compléments sur le patient",
    "ROL": "Intervenant", "NK1": "Proche", "PV1": "Venue", "PV2": "Compléments sur la venue", "ZBE": "Mouvement",
    "ZFA": "Statut DMP et consentements", "ZFP": "Situation professionnelle", "ZFV": "Compléments sur la rencontre",
    "ZFM": "Mouvement PMSI", "ZFD": "Compléments démographiques", "ZFS": "Mode légal de soins en psychiatrie",
    "MRG": "Identifiants absorbés ou remplacés", "ORC": "Action sur le document", "OBR": "Acte documenté",
    "TXA": "Référence du document", "OBX": "Observation ou document", "PRT": "Participant à l’envoi", "NTE": "Note",
    "MSA": "Acquittement", "ERR": "Erreur", "SFT": "Logiciel émetteur", "AL1": "Allergie", "DG1": "Diagnostic",
    "PR1": "Acte", "IN1": "Couverture sociale", "IN2": "Compléments de couverture", "IN3": "Accord préalable",
    "GT1": "Garant", "DB1": "Handicap", "ACC": "Accident", "PDA": "Décès", "TQ1": "Date et fréquence", "SPM": "Prélèvement",
    "FHS": "Début de fichier", "BHS": "Début de lot", "BTS": "Fin de lot", "FTS": "Fin de fichier",
}  # fmt: skip

_FIELDS = {
    "MSH": """
3 HD Application émettrice
4 HD Établissement émetteur
5 HD Application destinataire
6 HD Établissement destinataire
7 TS Date du message
9 MSG Type de message
10 - Identifiant du message
11 =0103 Mode de traitement
12 - Version
15 - Acquittement d’acceptation
16 - Acquittement applicatif
17 - Pays
18 - Jeu de caractères
19 - Langue
21 - Profil""",
    "EVN": """
1 - Code d’événement (ne plus utiliser)
2 TS Enregistré le
3 TS Prévu le
5 XCN Opérateur
6 TS Survenu le
7 HD Établissement""",
    "PID": """
1 - Numéro
3 CX Identifiants
4 CX Autres identifiants (ne plus utiliser)
5 XPN Noms
6 XPN Nom de jeune fille de la mère
7 TS Naissance
8 =0001 Sexe
11 XAD Adresses et lieu de naissance
13 XTN Téléphone et messagerie
14 XTN Téléphone professionnel
16 CE Situation familiale
18 CX Dossier administratif
21 CX Identifiant de la mère
23 - Lieu de naissance
24 =YN Naissance multiple
25 - Rang de naissance
26 CE Nationalité
29 TS Décès le
30 =YN Décédé
31 =YN Identité non vérifiée
32 =0445 Fiabilité de l’identité
33 TS Identité modifiée le
35 CE Espèce""",
    "PD1": """
2 - Autonomie
3 XON Établissement de rattachement
4 XCN Médecin (ne plus utiliser)
12 =YN Protection de l’identité""",
    "ROL": """
1 EI Identifiant du rôle
2 =0287 Action
3 =0443 Rôle
4 XCN Personne
5 TS Depuis le
6 TS Jusqu’au
11 XAD Adresse
12 XTN Téléphone et messagerie""",
    "NK1": """
1 - Numéro
2 XPN Nom
3 CE Lien
4 XAD Adresse
5 XTN Téléphone
7 =0131 Rôle
33 CX Identifiant""",
    "PV1": """
1 - Numéro
2 =0004 Classe
3 PL Lieu
4 =0007 Type d’admission
5 CX Préadmission
6 PL Lieu précédent
7 XCN Médecin responsable
8 XCN Médecin adressant
10 - Discipline (DMT)
14 =0023 Origine de la demande
16 =YN Personnalité protégée
17 XCN Médecin admettant
18 - Type de patient
19 CX Venue
20 - Règle de prise en charge
21 =0032 Mode de traitement
22 =YN Chambre particulière demandée
36 =0112 Mode de sortie
37 DLD Établissement de destination
41 =PV1-41 Dernière venue du dossier
42 PL Lieu attendu
44 TS Admission
45 TS Sortie
50 CX Autre identifiant de venue
51 =PV1-51 Portée de l’annulation""",
    "PV2": """
2 =0129 Statut d’hébergement
3 CE Motif d’admission
7 =0130 Parcours de soins
8 TS Admission prévue
9 TS Sortie prévue
12 - Motif de la venue
18 - Prise en charge ALD
22 =YN Venue protégée
30 - Facturable
36 =YN Nouveau-né
38 =0430 Transport d’arrivée
47 TS Retour de permission prévu""",
    "ZBE": """
1 EI Mouvement
2 TS Date du mouvement
3 TS Fin de période (interdit)
4 =ZBE-4 Action
5 =ZBE-5 Mouvement historique
6 - Événement d’origine
7 XON UF médicale
8 XON UF de soins
9 =ZBE-9 Nature""",
    "ZFA": """
1 =ZFA-1 Statut du DMP
2 TS Recueilli le
3 TS Fermé le
4 =YN Accès de l’établissement (obsolète)
5 TS Le
6 =YN Opposition au bris de glace (obsolète)
7 =YN Opposition à la régulation (obsolète)
8 TS Le
9 =ZFA-9 Alimentation du DMP
10 TS Le
11 =ZFA-11 Consultation du DMP
12 TS Le""",
    "ZFP": "\n1 - Activité\n2 - Catégorie socio-professionnelle",
    "ZFV": """
1 DLD Établissement de provenance
2 =0430 Transport de sortie
4 TS Début de placement
5 TS Fin de placement
6 XAD Adresse de provenance ou de destination
7 CX Dossier dans l’établissement de provenance
8 CX Archives
9 - Mode de sortie du site
11 - Soins pendant le transport""",
    "ZFM": """
1 =ZFM-1 Mode d’entrée
2 =ZFM-2 Mode de sortie
3 =ZFM-3 Provenance
4 =ZFM-3 Destination
5 =ZFM-5 Passage par les urgences""",
    "ZFD": """
1 - Date lunaire
2 - Semaines de gestation
3 =YN Accord pour les SMS
4 =YN Date de naissance corrigée
5 =ZFD-5 Identité obtenue par
6 TS Téléservice INSi interrogé le
7 =ZFD-7 Justificatif d’identité
8 TS Justificatif valable jusqu’au""",
    "MRG": """
1 CX Identifiants
3 CX Dossier
5 CX Venue
7 XPN Nom""",
    "ORC": """
1 =ORC-1 Action
2 EI Numéro chez le demandeur
3 EI Numéro chez l’exécutant
4 EI Demande
9 TS Date
10 XCN Saisi par
12 XCN Prescripteur""",
    "OBR": """
1 - Numéro
2 EI Numéro chez le demandeur
3 EI Numéro chez l’exécutant
4 CE Type de document
7 TS Début de l’acte
8 TS Fin de l’acte
10 XCN Préleveur
16 XCN Prescripteur
22 TS Résultat du
25 - Statut
44 CE Acte""",
    "TXA": """
1 - Numéro
2 CE Type de document
3 - Présentation
4 TS Activité du
5 XCN Acteur
6 TS Créé le
9 XCN Auteur
12 EI Identifiant du document
13 EI Document remplacé
16 - Nom du fichier
17 =TXA-17 Achèvement
18 - Confidentialité
19 - Disponibilité
22 XCN Authentifié par""",
    "OBX": """
1 - Numéro
2 - Type
3 CE Objet
4 - Sous-identifiant
5 VAR Valeur
6 CE Unité
7 - Valeurs de référence
8 - Anomalie
11 =OBX-11 Statut
14 TS Date
16 XCN Observateur""",
    "PRT": """
1 EI Identifiant
2 =0287 Action
4 =PRT-4 Participation
5 XCN Personne
8 XON Organisation
9 PL Lieu
10 EI Dispositif
14 XAD Adresse
15 XTN Messagerie""",
    "NTE": """
1 - Numéro
2 - Source
3 - Texte
4 =NTE-4 Type""",
    "MSA": """
1 =0008 Réponse
2 - Message acquitté
3 - Texte""",
    "ERR": """
1 - Emplacement (avant v2.5)
2 ERL Emplacement
3 CE Erreur
4 =0516 Gravité
5 CE Erreur applicative
7 - Que faire
8 - Explication""",
}

#: Segment → field → (how it reads, French name).
FIELDS: Final[Mapping[str, Mapping[int, tuple[str, str]]]] = {
    segment: {int(number): (kind, label) for number, kind, label in (line.split(" ", 2) for line in lines.strip().split("\n"))}
    for segment, lines in _FIELDS.items()
}

_REASONS = {
    "S": "soins", "H": "hébergement", "M": "responsabilité médicale", "L": "lit", "D": "prise en charge médico-administrative",
    "C": "correction de statut sans mouvement",
}  # fmt: skip

#: Table → code → French meaning. The tables whose name is a field are defined by France (PAM.fr §6) or a CI-SIS volet.
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "YN": {"Y": "oui", "N": "non"},
    "0001": {"M": "masculin", "F": "féminin", "U": "inconnu", "I": "indéterminé", "O": "autre", "A": "ambigu"},
    "0004": {"I": "hospitalisation", "E": "urgences", "O": "externe", "R": "séances", "N": "sans objet", "V": "télésurveillance",
             "P": "préadmission"},
    "0007": {"C": "confort", "L": "accouchement", "N": "nouveau-né", "R": "routine", "U": "urgence", "RM": "rétrocession",
             "IE": "prestation inter-établissements", "A": "accident", "E": "urgence"},
    "0008": {"AA": "accepté", "AE": "refusé : erreur de contenu", "AR": "refusé : à renvoyer plus tard", "CA": "reçu",
             "CE": "reçu avec erreur", "CR": "réception refusée"},
    "0023": {"1": "médecin extérieur", "3": "convocation", "4": "transfert d’un autre établissement", "6": "transfert interne",
             "7": "urgence", "8": "forces de l’ordre", "90": "programmé", "91": "décision personnelle"},
    "0032": {"03": "hospitalisation complète", "04": "hospitalisation de jour", "05": "hospitalisation de nuit",
             "06": "hospitalisation à domicile", "07": "consultation externe", "10": "urgences", "19": "ambulatoire ou séance",
             "20": "hospitalisation de semaine", "23": "chirurgie ambulatoire"},
    "0103": {"P": "production", "T": "test", "D": "mise au point"},
    "0112": {"2": "mesure disciplinaire", "3": "décision médicale", "4": "contre avis médical", "5": "en attente d’examen",
             "6": "convenances personnelles", "R": "essai", "E": "évasion", "F": "fugue", "A": "absence de moins de 12 heures",
             "P": "permission", "S": "programme de soins", "B": "départ vers MCO", "REO": "réorientation",
             "PSA": "parti sans attendre"},
    "0129": {"CP": "chambre particulière", "NP": "sans chambre particulière"},
    "0130": {"TO": "orienté par le médecin traitant", "ME": "consulte son médecin traitant", "TN": "nouveau médecin traitant",
             "SM": "sans médecin traitant", "CS": "hors coordination", "TU": "urgence", "TR": "remplaçant du médecin traitant"},
    "0131": {"K": "personne de confiance", "C": "personne à prévenir", "P": "personne à ne pas prévenir",
             "R": "représentant légal"},
    "0287": {"AD": "ajout", "DE": "suppression", "UC": "inchangé", "UP": "mise à jour"},
    "0430": {"0": "police", "1": "SMUR", "2": "ambulance publique", "3": "ambulance privée", "4": "taxi", "5": "moyen personnel",
             "6": "hélicoptère", "7": "pompiers", "8": "VSL", "9": "autre", "10": "avion", "11": "bateau"},
    "0443": {"ODRP": "médecin traitant", "SUBS": "remplaçant", "RT": "correspondant", "RP": "adressant", "AT": "responsable",
             "AD": "admettant", "CP": "consulté", "FHCP": "médecin de famille"},
    "0445": {"VIDE": "non qualifiée", "PROV": "provisoire", "VALI": "validée", "DOUB": "doublon", "DESA": "désactivée",
             "DPOT": "doublon potentiel", "DOUA": "doublon avéré", "HOMD": "homonyme détecté", "HOMA": "homonyme avéré",
             "COLP": "collision potentielle", "COLV": "collision validée", "FILI": "filiation", "CACH": "cachée",
             "ANOM": "anonyme", "IDVER": "vérifiée par le patient", "RECD": "reçue d’un autre domaine",
             "IDRA": "rapprochée d’un autre domaine", "USUR": "usurpée", "INVA": "invalidée", "FICT": "fictive",
             "DOUT": "douteuse"},
    "0516": {"E": "erreur", "F": "erreur fatale", "I": "information", "W": "avertissement"},
    "NTE-4": {"FIN": "le patient ne peut pas répondre"},
    "OBX-11": {"F": "validé", "C": "remplacement", "D": "suppression", "P": "préliminaire", "R": "à valider"},
    "ORC-1": {"NW": "envoi initial", "RO": "remplacement", "CA": "suppression"},
    "PRT-4": {"SB": "expéditeur", "RCT": "destinataire", "REPLY": "adresse de réponse"},
    "PV1-41": {"D": "oui", "N": "non"},
    "PV1-51": {"V": "la venue seule", "A": "tout le dossier"},
    "TXA-17": {"AU": "authentifié", "LA": "authentifié légalement", "DO": "documenté", "DI": "dicté", "IN": "incomplet",
               "IP": "en cours", "PA": "à authentifier"},
    "ZBE-4": {"INSERT": "création", "UPDATE": "correction", "CANCEL": "annulation"},
    "ZBE-5": {"N": "non, mouvement courant", "Y": "oui, plus ancien que le courant"},
    "ZBE-9": _REASONS,
    "ZFA-1": {"ACTIF": "actif", "FERME": "fermé", "INEXISTANT": "inexistant"},
    "ZFA-9": {"NA": "non recueillie", "IO": "informé, opposé", "INO": "informé, non opposé"},
    "ZFA-11": {"NA": "non recueilli", "INC": "informé, refuse", "IC": "informé, consent"},
    "ZFD-5": {"SM": "saisie manuelle", "CV": "carte Vitale", "INSI": "téléservice INSi", "CB": "code à barres", "RFID": "puce RFID"},
    "ZFD-7": {"AN": "acte de naissance", "CC": "carnet de circulation", "CE": "carte européenne", "CM": "carte militaire",
              "CN": "carte nationale d’identité", "CS": "titre de séjour", "LE": "livret de famille", "PA": "passeport",
              "PC": "permis de conduire", "TC": "tiers de confiance", "AV": "application carte Vitale",
              "DC": "document de circulation d’un mineur étranger", "AC": "acte de naissance et carte Vitale",
              "IE": "identité électronique eIDAS"},
    "ZFM-1": {"0": "transfert pour un acte", "6": "mutation", "7": "transfert d’un autre hôpital", "8": "domicile ou autre",
              "N": "nouveau-né", "O": "décédé, pour prélèvement"},
    "ZFM-2": {"0": "transfert pour un acte", "4": "fugue ou contre avis", "5": "essai", "6": "mutation", "7": "transfert",
              "8": "domicile ou assimilé", "9": "décès"},
    "ZFM-3": {"1": "MCO", "2": "SMR", "3": "soins de longue durée", "4": "psychiatrie", "5": "urgences de l’établissement",
              "6": "hospitalisation à domicile", "7": "structure médico-sociale d’hébergement", "8": "SSIAD", "9": "médecin traitant",
              "R": "réanimation", "U": "urgences d’un autre établissement"},
    "ZFM-5": {"5": "dans l’établissement", "U": "dans un autre établissement", "V": "dans les deux"},
}  # fmt: skip

#: MetaDMPMSS (CI-SIS, Transmission d’un document CDA-R2 en HL7 v2): OBX-3.1 → what ``Y`` means.
DOCUMENT_FLAGS: Final[Mapping[str, str]] = {
    "MASQUE_PS": "Masqué aux professionnels dans le DMP",
    "INVISIBLE_PATIENT": "Invisible pour le patient",
    "INVISIBLE_REP_LEGAUX": "Invisible pour les représentants légaux",
    "CONNEXION_SECRETE": "Connexion secrète au DMP",
    "MODIF_CONF_CODE": "Change la confidentialité",
    "DESTDMP": "À verser au DMP",
    "DESTMSSANTEPS": "À envoyer aux professionnels (MSSanté)",
    "DESTMSSANTEPAT": "À envoyer au patient (Mon espace santé)",
    "ACK_RECEPTION": "Accusé de réception demandé",
    "ACK_LECTURE_MSS": "Accusé de lecture demandé",
    "CORPSMAIL_PS": "Corps du message aux professionnels",
    "CORPSMAIL_PATIENT": "Corps du message au patient",
    "ACK_RECEPTION_DMP": "Reçu par le DMP",
    "ACK_RECEPTION_MSS": "Reçu par MSSanté",
}
