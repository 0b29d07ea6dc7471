"""What brings people of the demonstration to hospital, as the physicians' letters tell it.

Texts are French, invented, plausible for people with a long illness. ``{a|b|c}`` is a choice; ``{civility}``, ``{name}``, ``{age}``,
``{e}`` (the feminine mark) and ``{he}`` are the patient's.
"""

from __future__ import annotations

import random
import re
from datetime import date

import msgspec

from liaison.demo.people import Patient

_SLOT = re.compile(r"\{([^{}]*)\}")


class Drug(msgspec.Struct, frozen=True):
    """A line of treatment."""

    name: str
    atc: str
    substance: str
    dose: str
    frequency: str
    comment: str = ""


class FollowUp(msgspec.Struct, frozen=True):
    """What is to be done after the stay: by whom, after how many days."""

    who: str
    days: int
    what: str


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A reason for a stay, with everything that its letter will say."""

    specialty: str
    reason: str
    #: Paragraphs of the medical summary.
    story: tuple[str, ...]
    treatments: tuple[Drug, ...]
    stopped: tuple[Drug, ...] = ()
    pending: str = ""
    follow_up: tuple[FollowUp, ...]
    #: Whether it comes through the emergency ward, as a share of its stays.
    urgent: float
    #: Shortest and longest stay, in days.
    days: tuple[int, int]


CONDITIONS: tuple[Condition, ...] = (
    Condition(
        specialty="cardiologie",
        reason="Décompensation cardiaque globale",
        story=(
            (
                "{civility} {name}, {age} ans, suivi{e} pour une cardiopathie {ischémique|hypertensive|valvulaire} avec insuffisance cardiaque "
                "à fraction d'éjection {altérée (FEVG 35 %)|modérément altérée (FEVG 45 %)|préservée (FEVG 55 %)}, est hospitalisé{e} pour une "
                "dyspnée d'aggravation progressive depuis {quatre|six|huit} jours, avec orthopnée, prise de poids de {3|4|5|6} kg et œdèmes des "
                "membres inférieurs. Facteur déclenchant retenu : {écart de régime sans sel|passage en fibrillation atriale|arrêt du diurétique "
                "pendant un épisode de diarrhée|bronchite aiguë}."
            ),
            (
                "À l'entrée : PA {128/74|142/86|112/68} mmHg, FC {84|96|104}/min, SpO2 {91|93|94} % en air ambiant, crépitants des deux bases. "
                "NT-proBNP {3 850|5 420|7 160} ng/L, créatinine {98|124|146} µmol/L, kaliémie {3,9|4,2|4,6} mmol/L. Radiographie : syndrome "
                "interstitiel bilatéral, épanchement pleural droit de faible abondance."
            ),
            (
                "Évolution favorable sous furosémide intraveineux puis relais oral : perte de {4|5|6} kg, disparition des œdèmes, sevrage de "
                "l'oxygène au {deuxième|troisième} jour. Poids de sortie (poids sec de référence) : {61|68|74|82} kg. NT-proBNP de sortie "
                "{1 240|1 870|2 330} ng/L. Éducation thérapeutique réalisée : pesée quotidienne, règle des 2 kg, régime à 6 g de sel."
            ),
        ),
        treatments=(
            Drug("Furosémide 40 mg", "C03CA01", "furosémide", "1 comprimé", "1 fois par jour, le matin", "dose augmentée"),
            Drug("Bisoprolol 2,5 mg", "C07AB07", "bisoprolol", "1 comprimé", "1 fois par jour, le matin"),
            Drug("Ramipril 2,5 mg", "C09AA05", "ramipril", "1 gélule", "1 fois par jour, le soir"),
            Drug(
                "Dapagliflozine 10 mg", "A10BK01", "dapagliflozine", "1 comprimé", "1 fois par jour", "introduit pendant le séjour"
            ),
            Drug("Apixaban 5 mg", "B01AF02", "apixaban", "1 comprimé", "2 fois par jour"),
        ),
        stopped=(
            Drug("Amlodipine 5 mg", "C08CA01", "amlodipine", "1 comprimé", "1 fois par jour", "œdèmes des membres inférieurs"),
        ),
        pending="Bilan martial (ferritine, coefficient de saturation) : résultat transmis dès réception.",
        follow_up=(
            FollowUp("Médecin traitant", 7, "poids, pression artérielle debout, ionogramme et créatinine à J7"),
            FollowUp("Infirmier à domicile", 2, "pesée et surveillance deux fois par semaine pendant deux mois (programme PRADO)"),
            FollowUp("Cardiologue", 30, "consultation et titration du traitement de fond"),
        ),
        urgent=0.75,
        days=(4, 11),
    ),
    Condition(
        specialty="pneumologie",
        reason="Exacerbation de BPCO",
        story=(
            (
                "{civility} {name}, {age} ans, présente une BPCO post-tabagique stade GOLD {2|3} ({35|45|60} paquets-années, sevrage en "
                "{2009|2014|2018}), et consulte pour majoration de la dyspnée (mMRC {3|4}), de la toux et d'une expectoration devenue purulente "
                "depuis {trois|cinq} jours."
            ),
            (
                "À l'entrée : fréquence respiratoire {26|28|32}/min, SpO2 {86|88|89} %, sibilants diffus. Gaz du sang : pH {7,34|7,36|7,38}, "
                "PaCO2 {46|50|54} mmHg, PaO2 {54|57|59} mmHg. CRP {48|76|112} mg/L. Radiographie sans foyer systématisé. "
                "{ECBC à Haemophilus influenzae.|ECBC à flore oropharyngée.|PCR virale : rhinovirus.}"
            ),
            (
                "Amélioration sous aérosols, corticothérapie courte de 5 jours{, antibiothérapie par amoxicilline-acide clavulanique pendant "
                "5 jours| sans antibiothérapie} et kinésithérapie. {Ventilation non invasive nécessaire pendant 48 heures.|Pas de recours à la "
                "ventilation non invasive.} SpO2 de sortie {92|93|94} % en air ambiant. Technique d'inhalation revue avec {he}."
            ),
        ),
        treatments=(
            Drug(
                "Tiotropium/olodatérol 2,5/2,5 µg",
                "R03AL06",
                "tiotropium + olodatérol",
                "2 inhalations",
                "1 fois par jour, le matin",
            ),
            Drug("Salbutamol 100 µg", "R03AC02", "salbutamol", "2 bouffées", "en cas de gêne, 8 au plus par jour"),
            Drug(
                "Prednisone 20 mg", "H02AB07", "prednisone", "2 comprimés", "1 fois par jour, le matin", "2 jours encore puis arrêt"
            ),
            Drug(
                "Pantoprazole 20 mg",
                "A02BC02",
                "pantoprazole",
                "1 comprimé",
                "1 fois par jour, le soir",
                "à arrêter avec la prednisone",
            ),
        ),
        stopped=(
            Drug("Propranolol 40 mg", "C07AA05", "propranolol", "1 comprimé", "1 fois par jour", "bêtabloquant non cardiosélectif"),
        ),
        follow_up=(
            FollowUp("Médecin traitant", 8, "contrôle clinique, vaccination grippe et pneumocoque à compléter"),
            FollowUp("Kinésithérapeute", 3, "drainage et réentraînement, 12 séances"),
            FollowUp("Pneumologue", 45, "EFR à distance, discussion d'un stage de réhabilitation respiratoire"),
        ),
        urgent=0.85,
        days=(4, 10),
    ),
    Condition(
        specialty="endocrinologie",
        reason="Déséquilibre d'un diabète de type 2",
        story=(
            (
                "{civility} {name}, {age} ans, diabétique de type 2 depuis {12|17|23} ans, est adressé{e} pour déséquilibre glycémique "
                "(HbA1c {9,4|10,1|11,2} %) avec syndrome polyuro-polydipsique, sans cétose, sous bithérapie orale maximale."
            ),
            (
                "Bilan de complications : {rétinopathie non proliférante minime|pas de rétinopathie} ; {microalbuminurie à 84 mg/g|pas de "
                "microalbuminurie} ; monofilament {anormal aux deux pieds (grade 1)|normal} ; débit de filtration glomérulaire {54|63|71} mL/min. "
                "Examen des pieds : {pas de plaie|mal perforant du premier rayon gauche en voie de cicatrisation}."
            ),
            (
                "Mise en route d'une insuline basale, apprentissage de l'autosurveillance et de l'injection (autonome). Glycémies du matin de "
                "sortie entre {1,10 et 1,45|1,20 et 1,60} g/L. Aucune hypoglycémie pendant le séjour."
            ),
        ),
        treatments=(
            Drug(
                "Insuline glargine 100 UI/mL",
                "A10AE04",
                "insuline glargine",
                "14 UI",
                "1 injection le soir",
                "adapter de 2 UI tous les 3 jours",
            ),
            Drug("Metformine 1000 mg", "A10BA02", "metformine", "1 comprimé", "2 fois par jour, au repas"),
            Drug("Atorvastatine 20 mg", "C10AA05", "atorvastatine", "1 comprimé", "1 fois par jour, le soir"),
            Drug("Périndopril 4 mg", "C09AA04", "périndopril", "1 comprimé", "1 fois par jour, le matin"),
        ),
        stopped=(
            Drug("Gliclazide LM 60 mg", "A10BB09", "gliclazide", "1 comprimé", "1 fois par jour", "remplacé par l'insuline basale"),
        ),
        follow_up=(
            FollowUp("Infirmier à domicile", 1, "surveillance des glycémies et aide à l'injection pendant quinze jours"),
            FollowUp("Médecin traitant", 10, "adaptation des doses, objectif d'HbA1c inférieur à {7,5|8} %"),
            FollowUp("Podologue", 30, "soins podologiques (grade {1|2})"),
            FollowUp("Diabétologue", 90, "consultation avec HbA1c et ionogramme"),
        ),
        urgent=0.3,
        days=(3, 7),
    ),
    Condition(
        specialty="neurologie",
        reason="Accident vasculaire cérébral ischémique",
        story=(
            (
                "{civility} {name}, {age} ans, a présenté brutalement à son domicile {une hémiparésie gauche avec "
                "dysarthrie|un déficit du bras droit avec manque du mot|une paralysie faciale centrale droite}. NIHSS {4|6|8} à l'arrivée, délai "
                "de {1 h 50|2 h 35|plus de 6 heures}."
            ),
            (
                "IRM : ischémie récente du territoire {sylvien superficiel droit|sylvien profond gauche|jonctionnel gauche}, sans occlusion "
                "proximale. {Thrombolyse intraveineuse sans complication.|Pas d'indication de revascularisation.} Bilan étiologique : "
                "{fibrillation atriale méconnue au scope|athérome carotidien sans sténose serrée|cardiopathie emboligène écartée, enregistrement "
                "prolongé à prévoir}."
            ),
            (
                "Récupération {complète|partielle, NIHSS 2}, marche {autonome|avec une canne}, déglutition normale. Bilan orthophonique fait. "
                "Score de Rankin modifié à la sortie : {1|2}."
            ),
        ),
        treatments=(
            Drug("Apixaban 5 mg", "B01AF02", "apixaban", "1 comprimé", "2 fois par jour", "introduit pendant le séjour"),
            Drug(
                "Atorvastatine 40 mg",
                "C10AA05",
                "atorvastatine",
                "1 comprimé",
                "1 fois par jour, le soir",
                "introduit pendant le séjour",
            ),
            Drug("Périndopril 4 mg", "C09AA04", "périndopril", "1 comprimé", "1 fois par jour, le matin"),
        ),
        stopped=(
            Drug(
                "Kardégic 75 mg",
                "B01AC06",
                "acide acétylsalicylique",
                "1 sachet",
                "1 fois par jour",
                "remplacé par l'anticoagulant",
            ),
        ),
        pending="Enregistrement Holter de 24 heures : compte rendu à suivre.",
        follow_up=(
            FollowUp("Médecin traitant", 7, "pression artérielle (objectif inférieur à 130/80 mmHg), observance"),
            FollowUp("Orthophoniste", 7, "rééducation de la parole, deux séances par semaine"),
            FollowUp("Neurologue", 90, "consultation post-AVC pluriprofessionnelle"),
        ),
        urgent=0.98,
        days=(5, 12),
    ),
    Condition(
        specialty="geriatrie",
        reason="Chute avec station au sol prolongée, perte d'autonomie",
        story=(
            (
                "{civility} {name}, {age} ans, vivant à domicile {sans aide|avec une aide ménagère|auprès de son conjoint}, est hospitalisé{e} après une chute dans la "
                "{salle de bain|cuisine} avec station au sol estimée à {trois|sept} heures, sans traumatisme crânien ni fracture."
            ),
            (
                "Rhabdomyolyse modérée (CPK {1 450|2 980} UI/L) résolutive sous hydratation. Hypotension orthostatique à {-24|-32} mmHg, "
                "imputée au traitement antihypertenseur. Dénutrition {modérée|sévère} (albumine {27|31} g/L, perte de {5|8} kg en six mois). "
                "MMSE {21|24}/30 à distance de l'épisode aigu, à refaire."
            ),
            (
                "Reprise de la marche avec {déambulateur|canne}, transferts autonomes. GIR estimé à {3|4}. Évaluation sociale faite : portage de "
                "repas et téléassistance mis en place, demande d'APA transmise."
            ),
        ),
        treatments=(
            Drug("Paracétamol 1 g", "N02BE01", "paracétamol", "1 comprimé", "si douleur, 3 par jour au plus"),
            Drug("Cholécalciférol 100 000 UI", "A11CC05", "colécalciférol", "1 ampoule", "1 fois tous les 3 mois"),
            Drug(
                "Complément nutritionnel oral hyperprotéiné", "V06DB", "nutriments", "1 flacon", "2 fois par jour, entre les repas"
            ),
            Drug("Amlodipine 5 mg", "C08CA01", "amlodipine", "1 comprimé", "1 fois par jour, le matin"),
        ),
        stopped=(
            Drug(
                "Hydrochlorothiazide 12,5 mg",
                "C03AA03",
                "hydrochlorothiazide",
                "1 comprimé",
                "1 fois par jour",
                "hypotension orthostatique",
            ),
            Drug("Bromazépam 6 mg", "N05BA08", "bromazépam", "1/2 comprimé", "le soir", "risque de chute"),
        ),
        follow_up=(
            FollowUp("Médecin traitant", 5, "pression artérielle couché-debout, poids"),
            FollowUp("Kinésithérapeute", 4, "rééducation de l'équilibre, 20 séances à domicile"),
            FollowUp("Dispositif d'appui à la coordination des Landes", 3, "plan d'aide au domicile, visite d'évaluation"),
            FollowUp("Consultation mémoire", 90, "évaluation cognitive à distance"),
        ),
        urgent=0.9,
        days=(6, 15),
    ),
    Condition(
        specialty="readaptation",
        reason="Réadaptation cardiaque après hospitalisation",
        story=(
            (
                "{civility} {name}, {age} ans, est admis{e} pour réadaptation à {8|12|15} jours d'{une décompensation cardiaque|un pontage "
                "aorto-coronarien|un syndrome coronarien aigu stenté}."
            ),
            (
                "Test d'effort d'entrée limité à {50|65|80} watts. {15|20} séances de réentraînement réalisées sans incident, avec gain de "
                "{25|30|40} % à l'effort. Périmètre au test de six minutes : {310|380|420} mètres à la sortie."
            ),
            "Ateliers d'éducation thérapeutique suivis (alimentation, activité physique, médicaments). Sevrage tabagique {maintenu|sans objet}.",
        ),
        treatments=(
            Drug("Bisoprolol 5 mg", "C07AB07", "bisoprolol", "1 comprimé", "1 fois par jour, le matin"),
            Drug("Ramipril 5 mg", "C09AA05", "ramipril", "1 gélule", "1 fois par jour, le soir"),
            Drug("Kardégic 75 mg", "B01AC06", "acide acétylsalicylique", "1 sachet", "1 fois par jour, à midi"),
            Drug("Rosuvastatine 10 mg", "C10AA07", "rosuvastatine", "1 comprimé", "1 fois par jour, le soir"),
        ),
        follow_up=(
            FollowUp("Médecin traitant", 10, "suivi clinique, LDL-cholestérol inférieur à 0,55 g/L"),
            FollowUp("Cardiologue", 60, "test d'effort et échographie"),
        ),
        urgent=0.0,
        days=(9, 20),
    ),
)

#: Outpatient visits whose report is sent on: reason and paragraphs.
CONSULTATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Consultation de suivi d'insuffisance cardiaque",
        (
            (
                "{civility} {name}, {age} ans, est revu{e} en consultation. Stade NYHA {I|II|III}, poids stable, pas d'œdème. PA {118/70|126/74|134/78} "
                "mmHg, FC {58|64|70}/min."
            ),
            (
                "Échographie : FEVG {38|44|50} %, pressions de remplissage {normales|modérément élevées}. ECG {sinusal|en fibrillation atriale "
                "contrôlée}."
            ),
            (
                "Proposition : {poursuite du traitement à l'identique|augmentation du bisoprolol à 5 mg|introduction de la spironolactone 25 mg avec "
                "kaliémie à J7 et J30}. Prochain rendez-vous dans {trois|six} mois."
            ),
        ),
    ),
    (
        "Consultation de diabétologie",
        (
            (
                "{civility} {name}, {age} ans, diabète de type 2, est vu{e} en consultation de suivi. HbA1c {7,1|7,8|8,4} %, poids {stable|en baisse de "
                "2 kg}. Aucune hypoglycémie sévère."
            ),
            "Lecture du carnet : glycémies à jeun entre {1,05 et 1,40|1,20 et 1,70} g/L. Examen des pieds normal.",
            (
                "Proposition : {augmentation de l'insuline basale de 2 UI|maintien des doses|introduction d'un analogue du GLP-1}. Fond d'œil à "
                "prévoir. Contrôle dans {trois|quatre} mois."
            ),
        ),
    ),
    (
        "Consultation de pneumologie",
        (
            "{civility} {name}, {age} ans, BPCO stade {2|3}, est revu{e} à distance d'une exacerbation. Dyspnée mMRC {1|2}. SpO2 {93|94|95} % au repos.",
            "EFR : VEMS à {44|52|61} % de la théorique, stable. Test de six minutes : {290|340|410} mètres sans désaturation.",
            "Proposition : {maintien de la double bronchodilatation|stage de réhabilitation respiratoire à l'automne}. Vaccinations à jour.",
        ),
    ),
)

ALLERGIES = (
    "Aucune allergie ni intolérance connue.",
    "Aucune allergie ni intolérance connue.",
    "Allergie à l'amoxicilline (éruption, non explorée).",
    "Intolérance digestive à la codéine.",
)


def tell(text: str, patient: Patient, on: date, rng: random.Random) -> str:
    """``text`` about ``patient`` on a day, each of its choices drawn from ``rng``."""
    age = on.year - patient.birth_date.year - ((on.month, on.day) < (patient.birth_date.month, patient.birth_date.day))
    feminine = patient.sex == "F"
    words = {
        "civility": "Madame" if feminine else "Monsieur",
        "name": patient.used_name or patient.birth_name,
        "age": str(age),
        "e": "e" if feminine else "",
        "he": "la patiente" if feminine else "le patient",
    }

    def fill(match: re.Match[str]) -> str:
        slot = match.group(1)
        return words[slot] if slot in words else rng.choice(slot.split("|"))

    return _SLOT.sub(fill, text)
