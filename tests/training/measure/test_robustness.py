"""The same nodule acquired otherwise, and how far p moves with it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from m3net.grid import GridBox
from m3net.nodule import Nodule
from m3net.volume import CTVolume
from tests.training import learning
from training.cli import main
from training.data.acquired import ACQUIRED
from training.data.cutouts import nodule_of, volume_of
from training.data.voi import Cutout, CutoutLabel, read_cutouts
from training.measure.robustness import measure_robustness


class Mean:
    """Judges by the mean HU within the mask: -1000 HU is 0, 0 HU is 1."""

    card = learning.CARD

    def probability(self, volume: CTVolume, nodule: Nodule) -> float:
        assert nodule.mask is not None
        return float(volume.hu[nodule.mask.voxels].mean()) / 1000 + 1

    def box_needed(self, volume: CTVolume, nodule: Nodule) -> GridBox:
        return GridBox.whole(volume.hu)


def _cutout(*, slice_mm: float = 1.25) -> Cutout:
    """A ball of 10 mm of 0 HU in lung, on 21 x 33 x 33 voxels."""
    spacing = (slice_mm, 0.7, 0.7)
    z, y, x = (np.arange(n) - n // 2 for n in (21, 33, 33))
    away = np.sqrt((z[:, None, None] * spacing[0]) ** 2 + (y[:, None] * 0.7) ** 2 + (x * 0.7) ** 2)
    mask = away <= 5
    label = CutoutLabel(file="n.nii.gz", patient_id="P", scores=(1,))
    hu = np.where(mask, 0, -850).astype(np.int16)
    return Cutout(label=label, hu=hu, mask=mask, spacing_mm=spacing)


def _acquired(name: str, cutout: Cutout) -> Cutout:
    return ACQUIRED[name](cutout, np.random.default_rng(0))


@pytest.mark.parametrize("name", list(ACQUIRED))
def test_acquired_otherwise_it_is_the_same_nodule(name: str) -> None:
    cutout = _cutout()
    acquired = _acquired(name, cutout)
    assert acquired is not cutout
    assert acquired.hu.shape == acquired.mask.shape
    assert acquired.hu.dtype == np.int16

    def volume_mm3(of: Cutout) -> float:
        return float(of.mask.sum() * np.prod(of.spacing_mm))

    assert volume_mm3(acquired) == pytest.approx(volume_mm3(cutout), rel=0.3)
    lung = acquired.hu[~acquired.mask]
    assert np.median(lung) == pytest.approx(-850, abs=5)


def test_a_smooth_kernel_blurs_the_edge_and_a_sharp_one_overshoots() -> None:
    cutout = _cutout()
    smooth, sharp = (_acquired(f"{kind}_kernel", cutout) for kind in ("smooth", "sharp"))
    assert smooth.hu[cutout.mask].mean() < -20
    assert sharp.hu.max() > 100
    assert sharp.hu.min() < -950


def test_noise_has_the_deviation_that_it_says() -> None:
    cutout = _cutout()
    for hu in (20, 40):
        added = _acquired(f"noise_{hu}_hu", cutout).hu - cutout.hu
        assert added.std() == pytest.approx(hu, rel=0.01)


def test_a_nodule_that_cannot_be_acquired_so_is_not_counted() -> None:
    thin, thick = _cutout(), _cutout(slice_mm=3.0)
    assert _acquired("slices_2.5_mm", thick) is thick
    large = replace(thin, spacing_mm=(1.0, 0.9, 0.9))
    assert _acquired("pixels_0.9_mm", large) is large
    found = measure_robustness(Mean(), [thin, thick], ACQUIRED, threshold=0.9)
    assert found["slices_2.5_mm"].nodules == 1
    assert found["slices_5_mm"].nodules == 2
    assert found["noise_20_hu"].most < 0.01
    smooth = found["smooth_kernel"]
    assert smooth.mean == pytest.approx(-smooth.median, abs=0.01)
    assert 0 < smooth.median <= smooth.percentile_90 <= smooth.most
    never = measure_robustness(Mean(), [thick], {"2.5": ACQUIRED["slices_2.5_mm"]})
    assert never == {}


def test_a_call_that_another_kernel_changes_is_counted() -> None:
    cutout = _cutout()
    ways = {"smooth_kernel": ACQUIRED["smooth_kernel"], "noise": ACQUIRED["noise_20_hu"]}
    p = Mean().probability(volume_of(cutout), nodule_of(cutout))
    found = measure_robustness(Mean(), [cutout], ways, threshold=p - 0.01)
    assert (found["smooth_kernel"].flipped, found["noise"].flipped) == (1.0, 0.0)


def test_the_command_writes_its_measures_into_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli.robustness.load_classifier", lambda *_, **__: Mean())
    voi = learning.write_cutouts(tmp_path / "voi", nodules=4)
    assert len(read_cutouts(voi)) == 4
    card = tmp_path / "card.json"
    card.write_text(json.dumps(replace(learning.CARD, metrics={"auc": 0.9}).to_json()))
    asked = ["robustness", "--voi", str(voi), "--every", "2", "--card", str(card), "--json"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    metrics = json.loads(card.read_text())["metrics"]
    assert metrics["auc"] == 0.9
    assert metrics["acquired_noise_20_hu_nodules"] == 2
    assert metrics["acquired_smooth_kernel_most"] == round(found["smooth_kernel"]["most"], 4)
