"""Variants are what another reader, another patient's turn or a shorter annotation would give."""

from pathlib import Path

import numpy as np
import pytest
import torch

from m3net.config import SMALL
from m3net.preprocessing import cut_for, inputs_of
from m3net.scales import Scale
from training.data.as_served import Marking, nodule_of, volume_of
from training.data.variants import Sample, Variation, as_served, draw_variants, varied
from training.data.voi import Cutout, CutoutLabel

STILL = Variation(stretch=0, shift_mm=0, slices=0, outline=0, diameter=0, centre=0)


def cutout(*, radius: float = 4.0, name: str = "a") -> Cutout:
    """A ball of 40 HU in lung, in voxels of 2 x 0.7 x 0.7 mm."""
    index = np.indices((9, 44, 44)) - np.array([4, 22, 22]).reshape(3, 1, 1, 1)
    away = np.linalg.norm(index * np.array([2.0, 0.7, 0.7]).reshape(3, 1, 1, 1), axis=0)
    noise = np.random.default_rng(0).integers(-30, 30, away.shape)
    mask = away <= radius
    return Cutout(
        label=CutoutLabel(file=f"{name}.nii.gz", patient_id="P1", scores=(4, 3)),
        hu=(np.where(mask, 40, -850) + noise).astype(np.int16),
        mask=mask,
        spacing_mm=(2.0, 0.7, 0.7),
    )


def _draw(variation: Variation, seed: int) -> Sample:
    return varied(cutout(), SMALL, variation, np.random.default_rng(seed))


def test_the_cutout_as_it_is_is_what_the_node_feeds_to_the_network() -> None:
    sample = as_served(cutout(), SMALL)
    patches = cut_for(SMALL, volume_of(cutout()), nodule_of(cutout()))
    for scale, x in inputs_of(patches, SMALL.preprocessing).items():
        stored = torch.from_numpy(sample.inputs[scale]).float() / 255
        assert torch.allclose(stored, x[0], atol=0.5 / 255 + 1e-6)
    assert patches.description is not None
    assert np.allclose(sample.description, patches.description, rtol=1e-6)


def test_the_same_generator_draws_the_same_variant() -> None:
    first, second, other = _draw(Variation(), 1), _draw(Variation(), 1), _draw(Variation(), 2)
    assert np.array_equal(first.inputs[Scale.MICRO], second.inputs[Scale.MICRO])
    assert not np.array_equal(first.inputs[Scale.MICRO], other.inputs[Scale.MICRO])


def test_a_lost_slice_is_lost_to_sight_as_well() -> None:
    whole = as_served(cutout(), SMALL).inputs[Scale.MESO][1]
    lost = _draw(Variation(stretch=0, shift_mm=0, slices=1, outline=0, diameter=0, centre=0), 0)
    assert lost.inputs[Scale.MESO][1].sum() < whole.sum()


def test_turning_keeps_the_size_and_stretching_does_not() -> None:
    volume = as_served(cutout(), SMALL).inputs[Scale.MICRO][2].sum(dtype=float)
    turned = _draw(STILL, 3).inputs[Scale.MICRO][2].sum(dtype=float)
    assert turned == pytest.approx(volume, rel=0.03)
    sizes = [_draw(Variation(outline=0, slices=0), s).inputs[Scale.MICRO][2] for s in range(6)]
    assert np.std([size.sum(dtype=float) for size in sizes]) > 0.05 * volume


def test_a_centre_alone_shows_no_mask_and_tells_no_numbers() -> None:
    sample = as_served(cutout(), SMALL, Marking.CENTRE)
    assert not sample.inputs[Scale.MICRO][2].any()
    assert np.isnan(sample.description).all()


def test_variants_on_disk_are_taken_as_they_lie(tmp_path: Path) -> None:
    cutouts = [cutout(), cutout(radius=6.0, name="b")]
    drawn = [0]

    def on_nodule() -> None:
        drawn[0] += 1

    for _ in range(2):
        found = draw_variants(
            cutouts,
            SMALL,
            variation=Variation(),
            count=1,
            seed=0,
            directory=tmp_path,
            on_nodule=on_nodule,
        )
    assert drawn == [2]
    assert found.inputs[Scale.MESO].shape == (2, 2, 3, 24, 24, 24)
    assert np.array_equal(
        found.inputs[Scale.MESO][0, 1], as_served(cutouts[1], SMALL).inputs[Scale.MESO]
    )
