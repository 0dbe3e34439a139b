"""Features of a chest CAD report: which stand on their own, and where they are."""

import pytest
from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations.cad_features import (
    CENTRE,
    CERTAINTIES,
    COMPOSITE_FEATURE,
    MODIFIERS,
    NOT_FOR_PRESENTATION,
    OUTLINE,
    RENDERING_INTENT,
    SINGLE_IMAGE_FINDING,
    Feature,
    features_of,
)
from m3net.annotations.content_tree import ContentTree

NODULE = Code("27925004", "SCT", "Nodule")
CT_IMAGE, RADIOGRAPH = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1.1"


def coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def item(name: Code, *children: Dataset, value: Code | None = None, **more: object) -> Dataset:
    found = Dataset()
    found.ConceptNameCodeSequence = [coded(name)]
    if value is not None:
        found.ConceptCodeSequence = [coded(value)]
    if children:
        found.ContentSequence = list(children)
    for keyword, said in more.items():
        setattr(found, keyword, said)
    return found


def spot(
    name: Code = CENTRE, *, on: str = "1.1", of: str = CT_IMAGE, kind: str = "SCOORD"
) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = of, on
    image = Dataset()
    image.ReferencedSOPSequence = [reference]
    return item(name, image, ValueType=kind)


def finding(*children: Dataset, value: Code | None = NODULE) -> Dataset:
    return item(SINGLE_IMAGE_FINDING, *children, value=value)


def read(*items: Dataset) -> list[Feature]:
    root = Dataset()
    root.StudyInstanceUID = "1.2"
    root.ContentSequence = list(items)
    series, study, image = Dataset(), Dataset(), Dataset()
    image.ReferencedSOPInstanceUID, image.ReferencedSOPClassUID = "9.9", CT_IMAGE
    series.ReferencedSOPSequence = [image]
    study.StudyInstanceUID = "1.3"
    study.ReferencedSeriesSequence = [series]
    root.PertinentOtherEvidenceSequence = [study]
    return features_of(ContentTree(root))


def test_a_composite_that_says_what_it_is_stands_for_its_findings() -> None:
    found = read(
        item(COMPOSITE_FEATURE, finding(spot()), finding(spot(OUTLINE)), value=NODULE),
        finding(spot()),
    )
    assert [(f.number, f.is_nodule, len(f.spots)) for f in found] == [(1, True, 2), (2, True, 1)]
    assert [s.is_outline for s in found[0].spots] == [False, True]
    assert found[1].place == "CAD finding 2"


def test_a_composite_that_says_nothing_leaves_its_findings_on_their_own() -> None:
    found = read(item(COMPOSITE_FEATURE, finding(spot()), finding(spot())))
    assert [f.is_nodule for f in found] == [True, True]


@pytest.mark.parametrize(
    ("feature", "why"),
    [
        (finding(), "it marks no place"),
        (finding(item(CENTRE, ValueType="NUM")), "it marks no place"),
        (finding(spot(of=RADIOGRAPH)), "it is on an image that is no CT"),
        (finding(spot(on="9.9")), "it is on an image of another study"),
        (
            finding(spot(), item(RENDERING_INTENT, value=NOT_FOR_PRESENTATION)),
            "the device says that it is not to be rendered",
        ),
    ],
)
def test_a_finding_without_a_place_on_the_studys_ct_is_skipped_and_why_is_said(
    feature: Dataset, why: str
) -> None:
    (found,) = read(feature)
    assert (found.skipped, found.is_nodule, list(found.spots)) == (why, False, [])


def test_places_on_other_images_do_not_hide_the_one_on_the_ct() -> None:
    (found,) = read(finding(spot(of=RADIOGRAPH), spot(on="9.9"), spot(kind="SCOORD3D")))
    assert (found.skipped, len(found.spots)) == ("", 1)


def test_a_modifier_says_more_than_the_findings_own_code() -> None:
    opacity = Code("128477000", "SCT", "Abscess")
    (found,) = read(finding(spot(), item(MODIFIERS[1], value=NODULE), value=opacity))
    assert found.is_nodule


def test_of_codes_that_name_no_kind_the_findings_own_is_told() -> None:
    tissue, organ = Code("85756007", "SCT", "Tissue"), Code("113343008", "SCT", "Organ")
    (bare,) = read(finding(spot(), value=organ))
    (modified,) = read(finding(spot(), item(MODIFIERS[1], value=tissue), value=organ))
    (silent,) = read(finding(spot(), value=None))
    assert [bare.reading.says, modified.reading.says, silent.reading.says] == ["Organ", "Organ", ""]


@pytest.mark.parametrize(
    ("said", "percent"),
    [("0", 0.0), ("100", 100.0), ("87.5", 87.5), ("-1", None), ("101", None), ("", None)],
)
def test_a_certainty_is_a_number_of_percent(said: str, percent: float | None) -> None:
    measured = Dataset()
    measured.NumericValue = said
    (found,) = read(finding(spot(), item(CERTAINTIES[0], MeasuredValueSequence=[measured])))
    assert found.certainty_percent == percent
