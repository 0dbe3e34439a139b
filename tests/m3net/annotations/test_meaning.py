import pytest
from pydicom.sr.coding import Code

from m3net.annotations.meaning import Meaning, Said, meaning_of, nodules_named_in

ALTERED = Code("49755003", "SCT", "Morphologically Altered Structure")
ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
TISSUE = Code("85756007", "SCT", "Tissue")
OHIF_TISSUE = Code("T-D0050", "SRT", "Tissue")
ORGAN = Code("113343008", "SCT", "Organ")
NODULE = Code("27925004", "SCT", "Nodule")
LESION = Code("52988006", "SCT", "Lesion")
LUNG = Code("39607008", "SCT", "Lung")


def read(kind=None, *texts, category=None, site=None) -> tuple[str, str]:
    reading = meaning_of(Said(kind=kind, category=category, site=site, texts=texts))
    return reading.meaning, reading.says


@pytest.mark.parametrize(
    ("kind", "texts", "expected"),
    [
        (NODULE, (), (Meaning.NODULE, "nodule")),
        (Code("M-03010", "SRT", "x"), (), (Meaning.NODULE, "nodule")),
        (Code("RID50149", "RADLEX", "x"), (), (Meaning.NODULE, "nodule")),
        (LESION, (), (Meaning.NODULE, "lesion")),
        (LESION, ("Lesion 1",), (Meaning.NODULE, "lesion")),
        (LESION, ("Lesion 1", "LN 4R"), (Meaning.OTHER, "lymph node")),
        (LESION, ("cyst",), (Meaning.OTHER, "cyst")),
        (TISSUE, (), (Meaning.UNSAID, "Tissue")),
        (TISSUE, ("Segment 1",), (Meaning.UNSAID, "Tissue")),
        (OHIF_TISSUE, ("Nodule 1",), (Meaning.NODULE, "nodule")),
        (ORGAN, ("nodule",), (Meaning.NODULE, "nodule")),
        (TISSUE, ("LN 4R",), (Meaning.OTHER, "lymph node")),
        (None, (), (Meaning.UNSAID, "")),
        (None, ("cornerstoneTools@^4.0.0:Length",), (Meaning.UNSAID, "")),
        (None, ("Cornerstone3DTools:Bidirectional", "RUL nodule"), (Meaning.NODULE, "nodule")),
        (Code("CORNERSTONEFREETEXT", "CORNERSTONEJS", "Rundherd"), (), (Meaning.NODULE, "nodule")),
        (Code("CORNERSTONEFREETEXT", "CST4", "ExampleText"), (), (Meaning.UNSAID, "")),
        (Code("CORNERSTONEFREETEXT", "SCT", "aorta of X"), (), (Meaning.OTHER, "aorta")),
        (Code("x", "99LOCAL", "aorta of Mrs Smith"), (), (Meaning.OTHER, "aorta")),
        (Code("1", "99X", "ground glass"), (), (Meaning.NODULE, "lesion")),
        (NODULE, ("calcification",), (Meaning.NODULE, "nodule")),
        (NODULE, ("emphysema",), (Meaning.NODULE, "nodule")),
        (NODULE, ("scar",), (Meaning.OTHER, "scar")),
        (NODULE, ("Artefakt",), (Meaning.OTHER, "artefact")),
        (NODULE, ("Segment 1", "kyste"), (Meaning.OTHER, "cyst")),
        (NODULE, ("scar?",), (Meaning.NODULE, "nodule")),
        (NODULE, ("beside scar",), (Meaning.NODULE, "nodule")),
        (NODULE, ("Nodule 2", "fissure"), (Meaning.NODULE, "nodule")),
        (NODULE, ("LN 4R",), (Meaning.OTHER, "lymph node")),
        (NODULE, ("stable, abuts aorta, small nodes",), (Meaning.NODULE, "nodule")),
        (LUNG, ("Nodule 3",), (Meaning.OTHER, "Lung")),
        (LUNG, ("left",), (Meaning.OTHER, "Lung")),
    ],
)
def test_what_codes_and_words_make_of_a_mark(kind, texts, expected) -> None:
    assert read(kind, *texts) == expected


@pytest.mark.parametrize(
    ("value", "scheme", "meaning"),
    [
        ("87433001", "SCT", "Pulmonary emphysema"),
        ("30746006", "SCT", "Lymphadenopathy"),
        ("367643001", "SCT", "Cyst"),
        ("12402003", "SCT", "Scar"),
        ("233604007", "SCT", "Pneumonia"),
        ("72704001", "SCT", "Fracture"),
        ("85659009", "SCT", "Aneurysm"),
        ("46621007", "SCT", "Atelectasis"),
        ("60046008", "SCT", "Pleural effusion"),
        ("59282003", "SCT", "Pulmonary embolism"),
        ("237495005", "SCT", "Thyroid Nodule"),
        ("301766008", "SCT", "Lesion of Brain"),
        ("10200004", "SCT", "Liver"),
        ("15825003", "SCT", "Aorta"),
        ("404172000", "SCT", "Gremlin"),
        ("T-A7010", "SRT", "Spinal cord"),
    ],
)
@pytest.mark.parametrize("category", [ALTERED, ANATOMY, TISSUE, None])
def test_no_category_lets_a_known_other_thing_in(value, scheme, meaning, category) -> None:
    kind = Code(value, scheme, meaning)

    assert read(kind, category=category) == (Meaning.OTHER, meaning)
    assert read(kind, "Nodule 1", category=category) == (Meaning.OTHER, meaning)


@pytest.mark.parametrize(
    ("value", "scheme", "meaning"),
    [
        ("39607008", "SCT", "x"),
        ("T-28000", "SRT", "x"),
        ("7195", "FMA", "x"),
        ("FMA7333", "FMA", "x"),
        ("RID1338", "RADLEX", "x"),
        ("41224006", "SCT", "Lower lobe of left lung"),
        ("46750007", "SCT", "Hilum of lung"),
        ("955009", "SCT", "Bronchus"),
        ("45653009", "SCT", "Upper lobe of lung"),
        ("68599007", "SCT", "Subpleural"),
        ("1", "SCT", "Structure of medial basal (cardiac) segment of right lung"),
        ("1", "SCT", "Lingula of left lung (body structure)"),
        ("RUL", "99LOCAL", "Right upper lobe"),
        ("RUL", "99LOCAL", "RUL"),
    ],
)
def test_a_site_in_the_lung_leaves_a_nodule_one(value, scheme, meaning) -> None:
    assert read(NODULE, site=Code(value, scheme, meaning)) == (Meaning.NODULE, "nodule")


@pytest.mark.parametrize(
    ("value", "scheme", "meaning"),
    [
        ("10200004", "SCT", "Liver"),
        ("T-C5300", "SRT", "pharyngeal tonsil (adenoid)"),
        ("47975008", "SCT", "Base of tongue"),
        ("41216001", "SCT", "Prostate"),
        ("89837001", "SCT", "Urinary bladder"),
        ("34402009", "SCT", "Rectum"),
        ("3120008", "SCT", "Pleura"),
        ("78904004", "SCT", "Chest wall"),
        ("72410000", "SCT", "Mediastinum"),
        ("81040000", "SCT", "Pulmonary artery"),
        ("64468002", "SCT", "Bronchial artery"),
        ("127920008", "SCT", "lobar lymph node of the lung"),
        ("71133005", "SCT", "Structure of caudate lobe of liver"),
        ("79163004", "SCT", "Left lobe of thyroid"),
        ("12738006", "SCT", "Brain"),
        ("51185008", "SCT", "Thorax"),
        ("404172000", "SCT", "Gremlin"),
    ],
)
def test_a_site_elsewhere_takes_every_nodule_away(value, scheme, meaning) -> None:
    site = Code(value, scheme, meaning)

    for kind in (NODULE, LESION, Code("86049000", "SCT", "Neoplasm, Primary")):
        assert read(kind, site=site) == (Meaning.OTHER, f"a finding in: {meaning}")
    assert read(None, "Nodule 1", site=site)[0] is Meaning.OTHER
    assert read(None, site=site)[0] is Meaning.OTHER


def test_a_site_in_the_lung_makes_an_organ_that_is_merely_near_no_reason() -> None:
    assert read(LESION, "aortic arch") == (Meaning.OTHER, "aorta")
    assert read(LESION, "aortic arch", site=LUNG) == (Meaning.NODULE, "lesion")
    assert read(TISSUE, "aortic arch", site=LUNG) == (Meaning.UNSAID, "Tissue")
    assert read(LESION, "aorta", site=LUNG) == (Meaning.OTHER, "aorta")


def test_only_the_languages_in_force_make_a_nodule_and_any_makes_something_else() -> None:
    with nodules_named_in(["de", "fr"]):
        assert read(TISSUE, "Rundherd") == (Meaning.NODULE, "nodule")
        assert read(TISSUE, "nodule pulmonaire") == (Meaning.NODULE, "nodule")
        assert read(TISSUE, "lung cancer, RUL") == (Meaning.NODULE, "nodule")  # so in French
        assert read(TISSUE, "nodulo") == (Meaning.UNSAID, "Tissue")
        assert read(LESION, "lymph node 4R") == (Meaning.OTHER, "lymph node")
        assert read(NODULE) == (Meaning.NODULE, "nodule")
        lung = Code("1", "SCT", "Lower lobe of left lung")
        assert read(NODULE, site=lung) == (Meaning.NODULE, "nodule")
    assert read(TISSUE, "nodulo") == (Meaning.NODULE, "nodule")


def test_words_that_somebody_typed_are_not_spoken() -> None:
    typed = Code("1", "99HOSPITAL", "liver of Mrs Smith")

    assert read(typed) == (Meaning.OTHER, "liver")
    assert read(NODULE, site=Code("1", "99HOSPITAL", "Mrs Smith")) == (
        Meaning.OTHER,
        "a finding in: something else",
    )
    assert read(TISSUE, "lymph node of Mrs Smith") == (Meaning.OTHER, "lymph node")


@pytest.mark.parametrize(
    ("scheme", "value", "meaning"),
    [
        ("SCT", "126713003", "Neoplasm of lung"),
        ("SCT", "363358000", "Malignant tumor of lung"),
        ("SCT", "254632001", "Small cell carcinoma of lung"),
        ("SCT", "445249002", "Multiple nodules of lung"),
        ("SCT", "93163002", "Hamartoma of lung"),
        ("RADLEX", "RID50152", "solid pulmonary nodule"),
        ("NCIt", "C40377", "Lung nodule"),
        ("UMLS", "C0034079", "Lung Nodule"),
    ],
)
def test_a_nodules_code_that_names_the_lung_is_no_site(
    scheme: str, value: str, meaning: str
) -> None:
    assert read(Code(value, scheme, meaning)) == (Meaning.NODULE, "nodule")


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("94381002", "Secondary malignant neoplasm of liver"),
        ("94225005", "Secondary malignant neoplasm of brain"),
        ("94493005", "Secondary malignant neoplasm of pleura"),
        ("254837009", "Malignant neoplasm of breast"),
        ("399068003", "Malignant tumor of prostate"),
        ("93870000", "Malignant neoplasm of liver"),
    ],
)
def test_a_malignant_neoplasm_of_another_organ_is_that(value: str, meaning: str) -> None:
    assert read(Code(value, "SCT", meaning)) == (Meaning.OTHER, meaning)


@pytest.mark.parametrize(
    "comment",
    [
        "resolved",
        "Resolved.",
        "no longer visible",
        "false positive",
        "not seen",
        "Not a nodule",
        "ausgeschlossen",
        "nicht mehr abgrenzbar",
        "disparu",
        "resuelto",
        "scomparso",
    ],
)
def test_a_comment_takes_away_what_the_tracking_identifier_calls_a_nodule(comment: str) -> None:
    assert read(None, "Nodule 1", comment) == (Meaning.OTHER, "said to be no nodule")
    assert read(NODULE, comment) == (Meaning.OTHER, "said to be no nodule")


@pytest.mark.parametrize("comment", ["None", "negative", "nil", "stable", "unchanged", "-", "n/a"])
def test_a_comment_that_may_speak_of_anything_takes_nothing_away(comment: str) -> None:
    assert read(None, "Nodule 1", comment) == (Meaning.NODULE, "nodule")
    assert read(NODULE, comment) == (Meaning.NODULE, "nodule")
