"""Side and lobe as an annotation codes them."""

import pytest
from pydicom.sr.coding import Code

from m3net.annotations.measurement_report import MEASUREMENT_REPORT_READER
from m3net.annotations.nodules import find_nodules
from m3net.annotations.segmentation import SEGMENTATION_READER
from m3net.annotations.sites import agreed, site_of
from m3net.ct.series import read_series
from m3net.nodule import Lobe, Side, Site
from tests import synthetic
from tests.m3net.annotations.scene import as_received, box, planes_of
from tests.viewer_reports import (
    coded,
    content,
    finding,
    group,
    scoord,
    site,
    tracking,
    viewer_report,
)

LEFT, RIGHT = Code("7771000", "SCT", "Left"), Code("24028007", "SCT", "Right")


@pytest.mark.parametrize(
    ("code", "where"),
    [
        (Code("39607008", "SCT", "Lung"), None),
        (Code("44029006", "SCT", "Left lung"), Site(side=Side.LEFT)),
        (Code("45653009", "SCT", "Upper lobe of lung"), Site(lobe=Lobe.UPPER)),
        (Code("72481006", "SCT", "?"), Site(side=Side.RIGHT, lobe=Lobe.MIDDLE)),
        (Code("41224006", "SCT", "?"), Site(side=Side.LEFT, lobe=Lobe.LOWER)),
        (Code("T-28200", "SRT", "?"), Site(side=Side.RIGHT, lobe=Lobe.UPPER)),
        (Code("7383", "FMA", "?"), Site(side=Side.RIGHT, lobe=Lobe.MIDDLE)),
        (Code("RID1338", "RADLEX", "?"), Site(side=Side.LEFT, lobe=Lobe.LOWER)),
        (Code("39743006", "SCT", "?"), Site(side=Side.RIGHT, lobe=Lobe.UPPER)),
        (Code("1", "SCT", "Lower left lobe of lung"), Site(side=Side.LEFT, lobe=Lobe.LOWER)),
        (Code("24028007", "SCT", "Right"), Site(side=Side.RIGHT)),
        (Code("10200004", "SCT", "Liver"), None),
        (None, None),
    ],
)
def test_the_code_says_where_whatever_the_object_calls_it(
    code: Code | None, where: Site | None
) -> None:
    assert site_of(code) == where


def test_a_laterality_is_the_side() -> None:
    lung = Code("39607008", "SCT", "Lung")
    assert site_of(lung, [LEFT]) == Site(side=Side.LEFT)
    lower = Code("90572001", "SCT", "Lower lobe of lung")
    assert site_of(lower, [RIGHT]) == Site(side=Side.RIGHT, lobe=Lobe.LOWER)


def test_a_side_that_contradicts_its_code_says_nothing() -> None:
    assert site_of(Code("44029006", "SCT", "Left lung"), [RIGHT]) is None


def test_words_that_a_user_may_have_typed_say_nothing() -> None:
    assert site_of(Code("X", "99LOCAL", "Left upper lobe of lung")) is None


def test_marks_of_one_nodule_that_disagree_say_nothing() -> None:
    left, right = Site(side=Side.LEFT), Site(side=Side.RIGHT)
    assert agreed(left, None) == agreed(None, left) == agreed(left, left) == left
    assert agreed(left, right) is None


def test_a_report_and_a_segmentation_carry_side_and_lobe_to_the_nodule() -> None:
    """A Finding Site with its Laterality, and an Anatomic Region with its modifier."""
    ct = synthetic.ct_series()
    side = content("CODE", ("272741003", "SCT", "Laterality"))
    side.ConceptCodeSequence = coded(("7771000", "SCT", "Left"))
    where = site(("90572001", "SCT", "Lower lobe of lung"))
    where.ContentSequence = [side]
    circle = scoord(ct[3], "CIRCLE", [[6.5, 5.5], [9.0, 5.5]])
    nodule = finding(("27925004", "SCT", "Nodule"))
    report = viewer_report(ct, [group(tracking("Nodule 1", "1.2.3"), nodule, where, circle)])

    seg = synthetic.segmentation(ct, [box()])
    region = coded(("90572001", "SCT", "Lower lobe of lung"))
    region[0].AnatomicRegionModifierSequence = coded(("7771000", "SCT", "Left"))
    seg.SegmentSequence[0].AnatomicRegionSequence = region

    for reader, read in (
        (MEASUREMENT_REPORT_READER, as_received(report)),
        (SEGMENTATION_READER, seg),
    ):
        annotation = reader.read(read, planes_of(ct))
        (found,) = find_nodules([annotation], read_series(ct)).nodules
        assert found.site == Site(side=Side.LEFT, lobe=Lobe.LOWER)


@pytest.mark.parametrize(
    ("above", "own", "nodules"),
    [
        (("10200004", "SCT", "Liver"), None, 0),
        (("10200004", "SCT", "Liver"), ("39607008", "SCT", "Lung"), 1),
        (("44029006", "SCT", "Left lung"), None, 1),
        (("44029006", "SCT", "Left lung"), ("10200004", "SCT", "Liver"), 0),
    ],
)
def test_a_site_of_the_container_is_that_of_every_group_in_it_without_one_of_its_own(
    above: tuple[str, str, str], own: tuple[str, str, str] | None, nodules: int
) -> None:
    ct = synthetic.ct_series()
    circle = scoord(ct[3], "CIRCLE", [[6.5, 5.5], [9.0, 5.5]])
    said = [finding(("27925004", "SCT", "Nodule")), *([site(own)] if own else [])]
    report = viewer_report(ct, [group(tracking("Nodule 1", "1.2.3"), *said, circle)])
    report.ContentSequence[0].ContentSequence.append(site(above))
    annotation = MEASUREMENT_REPORT_READER.read(as_received(report), planes_of(ct))
    assert len(annotation.markings) == nodules
    if nodules and own is None:
        assert annotation.markings[0].site == Site(side=Side.LEFT)
