"""What is said of the default weights is said of nodules that they did not see."""

from dataclasses import replace
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
from training.shipped.committee import CommitteeFiles, load_committee, margins_of
from training.shipped.report import (
    OutOfFold,
    against_baselines,
    one_slice_less,
    one_slice_more,
    predict_out_of_fold,
)


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


@pytest.fixture
def found(tmp_path: Path) -> OutOfFold:
    """Eight nodules in two folds, each judged by the network that is not of its fold."""
    committees = {}
    for fold in (0, 1):
        committees[fold] = CommitteeFiles(members=[tmp_path / f"{fold}.safetensors"])
        save_file(build(SMALL, seed=fold).state_dict(), committees[fold].members[0])
    cutouts = [_cutout(number) for number in range(8)]
    return OutOfFold(
        cutouts=cutouts,
        folds=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
        committees=committees,
        margins=np.array([-1.0, 1.0, -0.5, 0.4, 0.2, 0.9, -1.5, 0.1]),
        descriptions=np.stack([describe(c.hu, c.mask, c.spacing_mm) for c in cutouts]),
        config=SMALL,
    )


def test_each_fold_is_judged_by_its_own_members_and_the_other_folds_calibration(
    found: OutOfFold,
) -> None:
    p = predict_out_of_fold(found, marking=ToldAs.DIAMETER)
    told = ShownNodules(Cutouts(found.cutouts[4:], ToldAs.DIAMETER), config=SMALL)
    margins = margins_of(load_committee(SMALL, found.committees[1]), told)
    assert p[4:] == pytest.approx(found.calibration(1)(margins), abs=1e-6)


def test_a_folds_calibration_does_not_know_its_own_labels(found: OutOfFold) -> None:
    flipped = [
        replace(cutout, label=replace(cutout.label, scores=(6 - cutout.label.scores[0],)))
        if fold == 0
        else cutout
        for cutout, fold in zip(found.cutouts, found.folds, strict=True)
    ]
    again, own = replace(found, cutouts=flipped).calibration(0), found.calibration(0)
    assert (again.slope, again.shift) == pytest.approx((own.slope, own.shift), abs=1e-9)


def test_ours_is_compared_with_each_baseline_on_the_same_patients(found: OutOfFold) -> None:
    twice = found.margins.copy()
    table = against_baselines(found, {"the same again": twice})
    assert list(table) == [
        "ours",
        "size_alone",
        "logistic_regression",
        "gradient_boosting",
        "gradient_boosting_on_all_numbers",
        "the same again",
    ]
    same = table["the same again"]["auc_of_ours_minus_this"]
    assert same == {"estimate": 0.0, "low": 0.0, "high": 0.0, "p_value": 1.0}
