from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from pydicom import Dataset

import m3net.consistency
import m3net.nodule
from m3net.borders import Border
from m3net.card import ModelCard
from m3net.evidence import Evidence
from m3net.measurements import Measured
from m3net.nodule import Nodule, RefusedNodule
from m3net.placed import PlacedNodule
from m3net.prediction import HeatMap, Prediction
from m3net.scales import Scale
from m3net.told import CENTRE, OUTLINE
from m3net.volume import CTVolume
from m3net.weights import load_card
from node.core.assessment import Assessment, JudgedNodule
from node.core.findings import (
    DescribedNodule,
    describe_nodule,
    names_without_patient,
    nodule_rows,
    omissions,
    report_content,
    study_pages,
)
from node.core.pictured import Look
from sr_templates.band import Band
from sr_templates.findings import (
    Consistency,
    Lobe,
    Location,
    Measurements,
    Outcome,
    RatedAlike,
    Side,
)
from sr_templates.pictures.capture_view import BEYOND_HU, MapStyle
from tests.node.core.test_drawn import headers, masked, nodule, volume


def described(
    ct: CTVolume,
    mark: Nodule,
    *,
    heat: float = 1.0,
    shown: bool = True,
    probability: float = 0.5,
    card: ModelCard | None = None,
    band: Band | None = None,
    said: dict[str, object] | None = None,
    evidence: Evidence | None = None,
) -> DescribedNodule:
    """said : more of what was found of the judged nodule"""
    maps = HeatMap(
        values=np.full((4, 16, 16), heat, np.float32),
        shown=np.full((4, 16, 16), shown),
        affine=ct.affine,
        has_depth=True,
    )
    of = headers(ct)
    return describe_nodule(
        JudgedNodule(
            placed=PlacedNodule(nodule=mark, volume=ct),
            prediction=Prediction(
                probability=probability, heat_maps={Scale.MICRO: maps}, evidence=evidence
            ),
            **(said or {}),
        ),
        name="Nodule 1",
        warnings=(),
        card=card or load_card("untrained"),
        band=band,
        header_of=of.__getitem__,
        look=Look(
            max_slices=3,
            maps=MapStyle.OVERLAY,
            revision=2,
            at=datetime(2026, 11, 28, 3, 5, tzinfo=UTC),
        ),
    )


def test_the_comment_names_the_slice_as_viewers_do() -> None:
    ct = volume()
    comment = described(ct, masked(ct, (4, 9, 14), (3, 3, 3))).finding.comment
    assert comment == "UNTRAINED, NOT A RESULT; Im 495."


def test_the_first_line_says_how_likely_where_how_large_and_with_which_limits() -> None:
    ct = volume()
    card = replace(load_card("untrained"), trained=True)
    it = described(
        ct,
        masked(ct, (4, 9, 14), (3, 3, 3)),
        probability=0.9962,
        card=card,
        band=Band.about(0.5, half_width=0.15),
        said={
            "measured": Measured(
                long_axis_mm=33.4,
                short_axis_mm=24.5,
                volume_mm3=9123.0,
                mean_hu=34.6,
                consistency=m3net.consistency.Consistency.SOLID,
            ),
            "site": m3net.nodule.Site(side=m3net.nodule.Side.LEFT, lobe=m3net.nodule.Lobe.LOWER),
            "limits": ("slices of 2.5 mm", "one annotation's outline"),
        },
    )
    assert it.finding.comment == (
        "Probability of malignancy > 95 %; above the indeterminate band of 35 % to 65 %; "
        "left lung, lower lobe; Im 495; 33 x 25 mm, mean 29 mm, 9.1 mL, mean 35 HU, solid "
        "(measured from the mark). Limits: slices of 2.5 mm; one annotation's outline."
    )
    assert it.finding.location == Location(
        side=Side.LEFT, lobe=Lobe.LOWER, image_number=495, images=None
    )
    assert it.finding.limits == ("slices of 2.5 mm", "one annotation's outline")


def test_what_radiologists_rated_alike_stands_beside_the_probability_everywhere() -> None:
    ct = volume()
    mark = masked(ct, (4, 9, 14), (3, 3, 3))
    band = {"from": 0.0, "low": 2.33, "middle": 3.25, "high": 4.5, "nodules": 174.0}
    trained = replace(load_card("untrained"), trained=True, panel={OUTLINE: (band,)})
    it = described(ct, mark, card=trained)
    rated = RatedAlike(low=2.33, middle=3.25, high=4.5)
    sentence = (
        "Of 10 nodules of a like probability, radiologists rated 9 from 2.3 to 4.5 of 5 for "
        "suspicion."
    )
    assert it.finding.comment == f"Probability of malignancy 50 %; Im 495. {sentence}"
    assert it.finding.rated_alike == rated
    assert it.listed.legend.notes == (sentence,)
    (row,) = nodule_rows(Assessment(outcome=Outcome.ANALYSED, judged=[it.judged]), [it], Dataset())
    assert row.rated_alike == rated
    cut = {"measured": Measured(cut_by=frozenset({Border.IMAGE}), at_least_mm=30.4)}
    doubtful = {"doubt": "bone or contrast in it goes on beyond it: it may be a rib or a vessel"}
    sizes = replace(trained, metrics={"long_axis_mm_least": 4.4, "long_axis_mm_most": 59.9})
    large = {"measured": Measured(long_axis_mm=64.0, short_axis_mm=50.0)}
    for other in (
        described(ct, mark, card=trained, said=doubtful),
        described(ct, mark, card=sizes, said=large),
        described(ct, mark, card=trained, said=cut),
        described(ct, mark, card=replace(trained, panel={CENTRE: (band,)})),
        described(ct, mark, card=replace(trained, panel={})),
        described(ct, mark, card=replace(trained, trained=False)),
    ):
        assert other.finding.rated_alike is None
        assert "radiologists" not in other.finding.comment


def test_of_a_nodule_that_the_image_cuts_no_size_is_told_but_a_least_one() -> None:
    """Neither as measured nor as marked, in no output; a circle keeps what it says."""
    ct = volume()
    cut = Measured(cut_by=frozenset({Border.IMAGE}), at_least_mm=30.4)
    said = {"measured": cut, "limits": ("the image ends in it: it is 30 mm or longer",)}
    outlined = replace(masked(ct, (4, 9, 14), (3, 3, 3)), diameter_mm=32.0)
    it = described(ct, outlined, said=said)
    assert it.finding.diameter_mm is it.listed.legend.diameter_mm is None
    assert it.finding.measurements == Measurements()
    assert it.finding.comment == (
        "UNTRAINED, NOT A RESULT; Im 495. Limits: the image ends in it: it is 30 mm or longer."
    )
    (row,) = nodule_rows(Assessment(outcome=Outcome.ANALYSED, judged=[it.judged]), [it], Dataset())
    assert row.diameter_mm is None
    circle = described(ct, nodule(ct, (5, 10, 15), diameter_mm=32.0), said={"measured": cut})
    assert circle.finding.diameter_mm == 32.0


def test_a_picture_is_black_where_padding_begins() -> None:
    ct = volume()
    padding = np.zeros(ct.shape, bool)
    padding[:, :, 16:] = True
    padded = replace(ct, padding=np.packbits(padding, axis=2))
    view = described(padded, masked(ct, (4, 9, 12), (3, 3, 3))).listed.view
    assert view.locator is not None
    assert np.array_equal(view.locator.slice_hu == BEYOND_HU, padding[0])
    assert (view.slab_hu != BEYOND_HU).sum() == 3 * 16 * 11  # of columns 5 to 20


@pytest.mark.parametrize(
    ("judged", "refused", "summary"),
    [
        (1, 0, []),
        (0, 1, []),
        (1, 1, ["Nodule 1: UNTRAINED, NOT A RESULT; Im 495.", "Nodule 2: not analysed."]),
        (2, 0, ["Nodule 1: UNTRAINED, NOT A RESULT; Im 495."] * 2),
        (0, 2, ["Nodule 2: not analysed."] * 2),
    ],
)
def test_several_nodules_are_summed_up_line_by_line_and_one_is_not(
    judged: int, refused: int, summary: list[str]
) -> None:
    ct = volume()
    it = described(ct, masked(ct, (4, 9, 14), (3, 3, 3)))
    not_judged = RefusedNodule(
        tracking_uid="2.25.21", tracking_id="Nodule 2", sources=(), reason="it is nowhere"
    )
    assessment = Assessment(
        outcome=Outcome.ANALYSED, judged=[it.judged] * judged, refused=[not_judged] * refused
    )
    content = report_content(assessment, [it] * judged, load_card("untrained"), Dataset())
    assert list(content.summary) == summary
    assert len(content.remarks) == (2 if judged else 0)


def test_a_doubt_about_a_nodule_stands_in_the_headline() -> None:
    ct = volume()
    it = described(ct, masked(ct, (4, 9, 14), (3, 3, 3)), said={"doubt": "it may be a rib"})
    sure = described(ct, masked(ct, (4, 9, 14), (3, 3, 3)))
    for each, doubtful in ((it, True), (sure, False)):
        assessment = Assessment(outcome=Outcome.ANALYSED, judged=[each.judged])
        said = report_content(assessment, [each], load_card("untrained"), Dataset()).headline
        assert said.endswith("DOUBTFUL: it may be a rib.") is doubtful


def test_sides_and_densities_have_one_name_in_measuring_and_in_reporting() -> None:
    assert [each.value for each in m3net.nodule.Side] == [each.value for each in Side]
    assert [each.value for each in m3net.nodule.Lobe] == [each.value for each in Lobe]
    assert [each.value for each in m3net.consistency.Consistency] == [
        each.value for each in Consistency
    ]


def test_what_the_number_means_is_a_sentence_of_the_report() -> None:
    ct = volume()
    it = described(ct, masked(ct, (4, 9, 14), (3, 3, 3)))
    judged = Assessment(outcome=Outcome.ANALYSED, judged=[it.judged])
    card = replace(load_card("default"), meaning="probability of cancer in a year")
    content = report_content(judged, [it], card, Dataset())
    assert content.remarks[-1] == "Probability of cancer in a year."


def test_a_bare_point_says_how_it_is_drawn() -> None:
    ct = volume()
    assert described(ct, nodule(ct, (5, 10, 15))).finding.comment.endswith(
        "The annotation gives a point without extent, drawn as a dashed circle of nominal radius "
        "5 mm."
    )


def test_a_blank_heat_map_is_explained() -> None:
    ct = volume()
    blank = described(ct, masked(ct, (4, 9, 14), (3, 3, 3)), heat=0.0)
    assert "No heat in micro: nothing shown there spoke for malignancy" in blank.finding.comment


def test_a_scale_that_was_shown_nothing_is_not_said_to_have_found_nothing() -> None:
    ct = volume()
    told = described(ct, masked(ct, (4, 9, 14), (3, 3, 3)), heat=0.0, shown=False).finding.comment
    assert "Nothing was shown in micro: its voxels miss so thin a mark" in told
    assert "spoke for malignancy" not in told


def test_the_capture_points_as_the_ct_does() -> None:
    ct = volume()
    it = described(ct, masked(ct, (4, 9, 14), (3, 3, 3)))
    assert it.orientation == ("L", "P")
    assert [frame.key for frame in it.frames] == [False, False, True, False]


@pytest.mark.parametrize(
    ("tracking_id", "name"),
    [("RUL 12 mm", "RUL 12 mm"), ("Doe^Jane nodule", "Nodule 1"), ("MRN 4711-A", "Nodule 1")],
)
def test_a_tracking_identifier_that_names_the_patient_is_not_spoken(
    tracking_id: str, name: str
) -> None:
    subject = Dataset()
    subject.PatientName, subject.PatientID = "Doe^Jane", "4711-A"
    assert names_without_patient([tracking_id], subject) == [name]


@pytest.mark.parametrize(
    ("tracking_ids", "names"),
    [
        (["Lung nodule 2", "Lung nodule 1"], ["Nodule 2", "Nodule 1"]),
        (["Lung nodule", "Nodule 1"], ["Nodule 2", "Nodule 1"]),
        (["Lung nodule 2", "Nodule 2", "Lung nodule"], ["Nodule 1", "Nodule 2", "Nodule 3"]),
        (["Lung nodule 1 (2)", "Lung nodule 1"], ["Nodule 1 (2)", "Nodule 1"]),
        (
            ["Lung 1, part 2 of 2", "Lung 1, part 1 of 2"],
            ["Nodule 1, part 2 of 2", "Nodule 1, part 1 of 2"],
        ),
        (["Lung, part 1 of 2", "Lung, part 2 of 2"], ["Nodule 1", "Nodule 2"]),
        (["lesion 123", "Nodule 1"], ["Nodule 2", "Nodule 1"]),
        (["Lung 4711-12"], ["Nodule 1"]),
    ],
)
def test_what_stands_for_an_identifier_never_has_the_number_of_another_nodule(
    tracking_ids: list[str], names: list[str]
) -> None:
    """A patient may be called Lung; the report's items go on to say "Lung nodule 2"."""
    subject = Dataset()
    subject.PatientName, subject.PatientID = "Lung^Ka", "123"
    assert names_without_patient(tracking_ids, subject) == names


def test_pictures_say_when_another_nodule_was_not_analysed() -> None:
    whole = Assessment(outcome=Outcome.ANALYSED)
    partly = Assessment(outcome=Outcome.PARTLY_ANALYSED, unread=("RTSTRUCT",))
    assert omissions(whole) == ()
    assert omissions(partly) == (
        "0 of 0 nodules analysed. Not every annotation was read. The report says why.",
    )


def test_nodules_that_are_called_by_the_patients_name_keep_their_own_numbers() -> None:
    ct = volume()
    subject = Dataset()
    subject.PatientName, subject.PatientID = "Doe^Jane", "4711-A"
    mark = replace(masked(ct, (4, 9, 14), (3, 3, 3)), tracking_id="Doe^Jane 1")
    refused = [
        RefusedNodule(tracking_uid=f"2.25.{n}", tracking_id=name, sources=(), reason="it is small")
        for n, name in enumerate(("Doe^Jane 2", "RUL", "Doe^Jane 3"))
    ]
    told = [described(ct, mark)]
    assessment = Assessment(
        outcome=Outcome.PARTLY_ANALYSED, judged=[told[0].judged], refused=refused
    )
    rows = nodule_rows(assessment, told, subject)
    assert [row.tracking_id for row in rows] == ["Nodule 1", "Nodule 2", "RUL", "Nodule 3"]
    assert rows[0].centre_index == pytest.approx((5, 10, 15))
    content = report_content(assessment, told, load_card("untrained"), subject)
    assert "NOT analysed: Nodule 2, RUL, Nodule 3: it is small." in content.headline
    assert "Doe" not in content.headline


def test_pages_list_several_nodules_and_none_where_one_alone_or_none_was_judged() -> None:
    ct = volume()
    refused = [
        RefusedNodule(tracking_uid=f"2.25.{n}", tracking_id=f"N{n}", sources=(), reason="small")
        for n in range(2)
    ]
    one = described(ct, masked(ct, (4, 9, 14), (3, 3, 3)))
    for judged, others, some in (([one], 0, False), ([], 2, False), ([one], 1, True)):
        assessment = Assessment(outcome=Outcome.PARTLY_ANALYSED, refused=refused[:others])
        assert bool(study_pages(assessment, judged, Dataset())) is some
