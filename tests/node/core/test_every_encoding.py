"""Structure sets, chest CAD and presentation states go the whole way to a report."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from m3net.predict import TorchClassifier
from sr_templates.findings import Outcome
from tests import synthetic
from tests.encodings import (
    ROI,
    Composite,
    Contour,
    Drawn,
    Finding,
    OnImages,
    Words,
    chest_cad,
    presentation_state,
    structure_set,
    to_mm,
)
from tests.node.core.test_pipeline import SHAPE, classifier, files, in_bytes, report_of, run

__all__ = ["classifier"]

CT = synthetic.ct_series(shape=SHAPE)
SLICES = (20, 21, 22)
EDGE = np.array([(5.5, 9.5), (9.5, 9.5), (9.5, 13.5), (5.5, 13.5), (5.5, 9.5)])
"""Columns 6..9, rows 10..13, pixels' centres being whole numbers."""
SECRET = "Mueller"


def rtstruct(name: str) -> Dataset:
    contours = [Contour(points_mm=to_mm(CT[z], EDGE), image=CT[z]) for z in SLICES]
    other = ROI(name=f"{SECRET} external", contours=contours, interpreted_type="EXTERNAL")
    return structure_set(CT, [ROI(name=f"{SECRET} {name}", contours=contours), other])


def cad(name: str) -> Dataset:
    kind = (
        ("27925004", "SCT", "Nodule")
        if name == "nodule"
        else ("112061", "DCM", "Abnormal lines (1D)")
    )
    finding = [Finding(image=CT[z], outline=EDGE + 0.5, kind=kind) for z in SLICES]
    return chest_cad(CT, [Composite(parts=finding, kind=kind)])


def graphics(name: str) -> Dataset:
    return presentation_state(
        CT,
        [
            OnImages(
                graphics=[Drawn(shape="POLYLINE", points=EDGE + 0.5)],
                texts=[Words(value=f"{SECRET} {name}")],
                images=[CT[z]],
            )
            for z in SLICES
        ],
    )


MADE = {"structure set": rtstruct, "chest CAD": cad, "presentation state": graphics}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_its_nodule_is_judged_where_it_lies(
    tmp_path: Path, classifier: TorchClassifier, make: Callable[[str], Dataset]
) -> None:
    results = run(files(tmp_path, CT, make("nodule")), classifier)
    assert results.outcome is Outcome.ANALYSED
    (nodule,) = results.nodules
    assert nodule.tracking_id == "Nodule 1"
    assert nodule.centre_index == pytest.approx((21, 11.5, 7.5))
    assert SECRET.encode() not in in_bytes(report_of(results))


@pytest.mark.parametrize(
    ("make", "headline"),
    [
        (
            rtstruct,
            "2 ROIs were not read as nodules: nothing says what it is, of type EXTERNAL.",
        ),
        (cad, "1 CAD finding was not read as a nodule: Abnormal lines (1D)."),
        (graphics, "3 graphics were not read as nodules: graphics without meaning."),
    ],
)
def test_what_it_draws_and_is_no_nodule_is_told_in_the_headline(
    tmp_path: Path, classifier: TorchClassifier, make: Callable[[str], Dataset], headline: str
) -> None:
    results = run(files(tmp_path, CT, make("x")), classifier)
    assert not results.nodules
    assert headline in results.headline
    assert SECRET not in results.headline
    assert SECRET.encode() not in in_bytes(report_of(results))
