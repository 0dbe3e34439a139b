"""Prepared crops reach the network exactly as the node's CT would."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from m3net.config import PAPER, RELEASE, SMALL, M3NetConfig
from m3net.ct.series import read_series_files
from m3net.nodule import Nodule
from m3net.preprocessing import cut_for
from m3net.scales import Scale, ScaleSpec
from m3net.uids import FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID
from m3net.volume import CTVolume
from tests import lidc
from training.data import seeding
from training.data.augment import PRESETS
from training.data.crops import BlockSize, CropFolder, CropLabel, cut_block
from training.data.errors import CropsUnusable
from training.data.lidc.series import find_lidc
from training.data.nodules import network_inputs
from training.data.prepare import Cut, prepare
from training.data.shown import ShownNodules


class _Block:
    """One nodule in the middle of a random CT, as a unit of work."""

    name = "block"

    def __init__(self, centre: tuple[float, float, float] = (40.2, 110.4, 108.7)) -> None:
        self.volume = CTVolume(
            hu=np.random.default_rng(0).integers(-1000, 400, (90, 220, 220)).astype(np.int16),
            affine=np.array([[0.0, 0, 0.7, 5], [0, 0.7, 0, 6], [2.5, 0, 0, 7], [0, 0, 0, 1]]),
            study_instance_uid=StudyInstanceUID("1.2"),
            series_instance_uid=SeriesInstanceUID("1.2.3"),
            frame_of_reference_uid=FrameOfReferenceUID("1.2.4"),
            frames=[None] * 90,
        )
        x, y, z = self.volume.to_mm(centre).tolist()
        self.nodule = Nodule(
            centre_mm=(x, y, z),
            mask=None,
            diameter_mm=12.0,
            tracking_uid="",
            tracking_id="",
            sources=(),
        )

    def cut(self, size: BlockSize) -> Cut:
        label = CropLabel(name="N/0", patient_id="N", scores=(4,))
        return Cut(crops=(cut_block(self.volume, self.nodule, label, size),))


def _hu_apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def _nodules(
    out: Path,
    config: M3NetConfig,
    *,
    block: _Block | None = None,
    size: BlockSize | None = None,
    augmentation: str = "none",
) -> ShownNodules:
    prepare([block or _Block()], out, source={}, size=size or BlockSize(extent_mm=0.0))
    folder = CropFolder(out)
    return ShownNodules(folder, config=config, augmentation=PRESETS[augmentation])


@pytest.mark.parametrize("config", [RELEASE, PAPER, SMALL], ids=lambda config: config.preset)
@pytest.mark.parametrize("centre", [(40.2, 110.4, 108.7), (40.5, 110.5, 108.5)])
def test_a_crop_gives_what_the_whole_ct_gives(
    tmp_path: Path, config: M3NetConfig, centre: tuple[float, float, float]
) -> None:
    block = _Block(centre)
    patches = cut_for(config, block.volume, block.nodule)
    served = network_inputs(patches, config.preprocessing)
    prepared = _nodules(tmp_path / "out", config, block=block).item(0, None)
    assert prepared.keys() == served.keys()
    for key in served:
        # the CT's own voxels are the same, a grid in millimetres is as near as floats allow; what
        # is unknown of a nodule without an outline is unknown in both
        near = 0.0 if config.micro.patch.spacing_mm is None else 1e-5
        assert torch.allclose(prepared[key], served[key], rtol=near, atol=near, equal_nan=True)


def test_a_window_that_shifts_at_the_scans_end_is_the_same_in_a_crop(tmp_path: Path) -> None:
    block = _Block((3.0, 6.0, 108.0))
    shifting = replace(
        PAPER,
        **{s: replace(PAPER.branch(s), patch=replace(PAPER.branch(s).patch, border="shift"))
           for s in Scale},
    )  # fmt: skip
    served = cut_for(shifting, block.volume, block.nodule).scales
    prepared = _nodules(tmp_path / "out", shifting, block=block).item(0, None)
    for scale in Scale:
        assert served[scale].valid.all()
        assert torch.equal(prepared[scale][0], torch.from_numpy(served[scale].hu))


def test_the_three_scales_stay_nested_under_any_warp(tmp_path: Path) -> None:
    nodules = _nodules(tmp_path / "out", PAPER, augmentation="clinical")
    for index in range(3):
        item = nodules.item(0, seeding.for_sample(seed=0, epoch=0, index=index))
        assert _hu_apart(item["macro"][:, :, 16:80, 16:80], item["meso"]) < 0.001
        assert _hu_apart(item["meso"][:, :, 16:48, 16:48], item["micro"]) < 0.001


def test_an_epoch_is_drawn_from_its_number_and_the_seed(tmp_path: Path) -> None:
    nodules = _nodules(tmp_path / "out", PAPER, augmentation="clinical")

    def drawn(**of: int) -> torch.Tensor:
        return nodules.item(0, seeding.for_sample(**{"seed": 0, "epoch": 1, "index": 0} | of))[
            "macro"
        ]

    assert _hu_apart(drawn(), drawn()) < 0.001
    assert _hu_apart(drawn(), drawn(epoch=2)) > 1
    assert _hu_apart(drawn(), drawn(seed=1)) > 1


def test_readers_tell_otherwise_and_the_patient_is_turned_in_training_alone(
    tmp_path: Path,
) -> None:
    nodules = _nodules(tmp_path / "out", SMALL, augmentation="readers")
    served, again = nodules.item(0, None)["meso"], nodules.item(0, None)["meso"]
    assert torch.allclose(served, again)
    drawn = [nodules.item(0, np.random.default_rng(seed))["meso"] for seed in (1, 1, 2)]
    assert torch.allclose(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2], atol=0.01)
    assert not torch.allclose(drawn[0], served, atol=0.01)


def test_a_block_that_is_too_small_for_a_patch_is_refused(tmp_path: Path) -> None:
    nodules = _nodules(tmp_path / "out", PAPER, size=BlockSize(depth=64, side=80, extent_mm=0.0))
    with pytest.raises(CropsUnusable, match="the macro patch reaches beyond its block"):
        nodules.item(0, None)


def test_a_patch_in_millimetres_is_checked_in_millimetres(tmp_path: Path) -> None:
    macro = replace(PAPER.macro, patch=ScaleSpec(size=(96, 96, 96), spacing_mm=(2.0, 2.0, 2.0)))
    nodules = _nodules(tmp_path / "out", replace(PAPER, macro=macro))
    with pytest.raises(CropsUnusable, match="the macro patch"):
        nodules.item(0, None)


@pytest.mark.lidc
def test_a_real_crop_gives_what_the_node_cuts_from_the_ct(
    lidc_0001: lidc.LidcStudy, tmp_path: Path
) -> None:
    (unit,) = find_lidc(lidc_0001.ct[0].parent).units
    prepare([unit], tmp_path / "out", source={})
    folder = CropFolder(tmp_path / "out")
    crop = folder.read(folder.labels[0])
    patches = cut_for(RELEASE, read_series_files(lidc_0001.ct), crop.nodule)
    served = network_inputs(patches, RELEASE.preprocessing)
    nodules = ShownNodules(folder, config=RELEASE)
    item = nodules.item(0, None)
    assert all(torch.equal(item[key], served[key]) for key in served)
