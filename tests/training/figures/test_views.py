"""A nodule's slice, its mask and its maps lie where they belong."""

from pathlib import Path

import numpy as np
import pytest

from tests.training import learning
from training.data.crops import Crop
from training.data.voi import read_labels
from training.figures.views import read_case, view
from training.measure.predictions import PredictionsUnusable


@pytest.fixture
def case(tmp_path: Path) -> Crop:
    return read_case(learning.write_cutouts(tmp_path / "cutouts", nodules=2), "n1")


def test_a_view_is_centred_on_the_nodule(case: Crop) -> None:
    assert case.label.malignant
    seen = view(case, side_mm=10.0)
    hu, mask = seen.hu(), seen.mask()
    assert hu.shape == (20, 20)
    assert mask is not None
    rows, columns = np.nonzero(mask > 0.5)
    assert (rows.mean(), columns.mean()) == pytest.approx((9.5, 9.5), abs=0.3)
    # a sphere of 4.5 voxels of 0.7 mm about its centre
    assert (np.ptp(columns) + 1) * 0.5 == pytest.approx(2 * 4.5 * 0.7, abs=0.6)
    assert hu[10, 10] > -200
    assert hu[0, 0] < -600


def test_beyond_the_cutout_nothing_is_known(case: Crop) -> None:
    hu = view(case, side_mm=30.0).hu()
    known = np.isfinite(hu)
    assert not known[0].any()
    assert known.any(axis=0).sum() * 0.5 == pytest.approx(20 * 0.7, abs=0.5)


def test_a_map_lies_where_its_affine_says(case: Crop) -> None:
    affine = case.volume.affine.copy()
    values = np.zeros((10, 20, 20), np.float32)
    values[:, 10, 14] = 1
    found = view(case, side_mm=10.0).map(values, affine)
    row, column = np.unravel_index(np.nanargmax(found), found.shape)
    # 4 voxels of 0.7 mm to the left of the patient
    assert (column - 9.5) * 0.5 == pytest.approx(2.8, abs=0.5)
    assert (row - 9.5) * 0.5 == pytest.approx(0, abs=0.5)


def test_an_unknown_nodule_is_an_error(tmp_path: Path) -> None:
    data = learning.write_cutouts(tmp_path / "cutouts", nodules=2)
    assert [label.name for label in read_labels(data)] == ["n0", "n1"]
    with pytest.raises(PredictionsUnusable, match="has no nodule n7"):
        read_case(data, "n7")
