"""Committees are asked about what they did not see, told in every way."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from m3net.config import SMALL
from m3net.description import describe
from m3net.network import build
from training.data.cutouts import Cutouts
from training.data.shown import ShownNodules
from training.data.told import ToldAs
from training.data.voi import Cutout, CutoutLabel
from training.shipped.asked import Committees, ask, one_slice_less, one_slice_more
from training.shipped.committee import CommitteeFiles, load_committee, margins_of


def _cutout(number: int, *, slices: slice = slice(1, 4)) -> Cutout:
    """Five slices, of which some hold a small nodule; odd ones are malignant."""
    hu = np.random.default_rng(number).integers(-900, 100, (5, 44, 44)).astype(np.int16)
    mask = np.zeros(hu.shape, dtype=bool)
    mask[slices, 18:26, 19:24] = True
    return Cutout(
        label=CutoutLabel(
            file=f"{number}.nii.gz", patient_id=f"P{number}", scores=(1 + number % 2 * 4,)
        ),
        hu=hu,
        mask=mask,
        spacing_mm=(2.0, 0.7, 0.7),
    )


def _slices(cutout: Cutout) -> list[int]:
    return [int(z) for z in np.flatnonzero(cutout.mask.any(axis=(1, 2)))]


def test_an_outline_loses_its_first_or_last_slice() -> None:
    assert _slices(one_slice_less(_cutout(0), first=True)) == [2, 3]
    assert _slices(one_slice_less(_cutout(0), first=False)) == [1, 2]
    single = _cutout(0, slices=slice(2, 3))
    assert one_slice_less(single, first=True) is single


def test_an_outline_gains_a_slice_where_one_was_cut() -> None:
    assert _slices(one_slice_more(_cutout(0), first=True)) == [0, 1, 2, 3]
    assert _slices(one_slice_more(_cutout(0), first=False)) == [1, 2, 3, 4]
    whole = _cutout(0, slices=slice(0, 5))
    assert one_slice_more(whole, first=True) is whole


def test_each_fold_is_asked_of_the_committee_that_did_not_see_it(tmp_path: Path) -> None:
    """Eight nodules in two folds; the last fills all slices, so no slice can be added to it."""
    files = {}
    for fold in (0, 1):
        files[fold] = CommitteeFiles(members=[tmp_path / f"{fold}.safetensors"])
        save_file(build(SMALL, seed=fold).state_dict(), files[fold].members[0])
    cutouts = [_cutout(number) for number in range(7)]
    cutouts.append(_cutout(7, slices=slice(0, 5)))
    margins = np.arange(8.0)
    found = ask(
        Committees(
            cutouts=cutouts,
            folds=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
            files=files,
            margins=margins,
            descriptions=np.stack([describe(c.hu, c.mask, c.spacing_mm) for c in cutouts]),
            config=SMALL,
        ),
        others={"plain": -margins},
        outlines={"half": [one_slice_less(cutout, first=True) for cutout in cutouts]},
    )
    assert list(found.margins) == [
        "ours", "ours_centre_and_diameter", "ours_centre", "ours_outline_of_half",
        "ours_slice_less_first", "ours_slice_less_last", "ours_slice_more_first",
        "ours_slice_more_last", "size_alone", "logistic_regression", "gradient_boosting",
        "gradient_boosting_on_all_numbers", "plain",
    ]  # fmt: skip
    told = ShownNodules(Cutouts(cutouts[4:], ToldAs.DIAMETER), config=SMALL)
    theirs = margins_of(load_committee(SMALL, files[1]), told)
    assert found.margins["ours_centre_and_diameter"][4:] == pytest.approx(theirs, abs=1e-6)
    same = found.margins["ours_slice_less_first"] == found.margins["ours_outline_of_half"]
    assert same.all()
    assert np.isnan(found.margins["ours_slice_more_last"]).tolist() == [False] * 7 + [True]
    assert found.labels.tolist() == [False, True] * 4
    assert found.patients[3] == "P3"
