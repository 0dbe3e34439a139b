"""How a nodule looks on slices: an encoder that is the published one, and what is pooled of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from m3net.appearance import NUMBERS, Appearance
from m3net.config import SMALL
from m3net.description import NAMES
from m3net.efficientnet import EfficientNetLite0
from m3net.model_files import weights_file
from m3net.network import Committee, build
from m3net.nodule import Mask
from m3net.preprocessing import cut_for
from m3net.slices import slices_of
from tests.m3net.toys import narrow, nodule_at, volume_of

WITHIN = "appearance.encoder."


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLite0:
    """The one that ships."""
    file = weights_file("default")
    assert isinstance(file, Path)
    built = EfficientNetLite0()
    every = load_file(file)
    built.load_state_dict(
        {n.removeprefix(WITHIN): t for n, t in every.items() if n.startswith(WITHIN)}
    )
    return built


def test_the_encoder_gives_what_the_published_one_gives(encoder: EfficientNetLite0) -> None:
    """Of a wave of 160 x 160, as efficientnet_lite_pytorch 0.1.0 gives after its eleventh block."""
    along = torch.linspace(-1, 1, 160)
    wave = torch.sin(7 * along)[:, None] * torch.cos(5 * along)[None]
    with torch.no_grad():
        seen = encoder(wave.expand(1, 3, -1, -1))
    assert seen.shape == (1, 112, 10, 10)
    means = [0.9402, -1.0622, 6.1672, 0.7933, 3.7667, -3.0055]
    assert seen.mean((2, 3))[0, :6].tolist() == pytest.approx(means, abs=2e-3)
    assert float(seen[0, 5, 3, 7]) == pytest.approx(-4.1592, abs=2e-3)
    assert float(seen[0, 111, 9, 9]) == pytest.approx(9.1002, abs=2e-3)


def test_what_is_pooled_is_inside_at_its_most_and_about(encoder: EfficientNetLite0) -> None:
    appearance = Appearance(1)
    appearance.encoder = encoder
    slices = torch.zeros(1, 10, 2, 160, 160)
    slices[:, :, 0] = torch.linspace(-1000, 400, 160)
    slices[:, :, 1, 64:96, 64:96] = 1.0
    with torch.no_grad():
        found = appearance.numbers(slices)[0].view(2, 3, 112)
        grey = torch.linspace(-1, 1, 160).expand(1, 3, 160, -1)
        seen = encoder(grey)[0]
    inside = seen[:, 4:6, 4:6]
    about = (seen[:, 3:7, 3:7].sum((1, 2)) - inside.sum((1, 2))) / 12
    assert torch.allclose(found[0, 0], inside.mean((1, 2)), atol=1e-4)
    assert torch.allclose(found[0, 1], inside.amax((1, 2)), atol=1e-4)
    assert torch.allclose(found[0, 2], about, atol=1e-4)
    assert torch.equal(found[0], found[1])


def _ball(*, outlined: bool = True):
    z, y, x = np.indices((24, 64, 64))
    inside = (z - 12) ** 2 + (y - 32) ** 2 + (x - 32) ** 2 <= 25
    affine = np.array([[0.0, 0, 0.7, 0], [0, 0.7, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]])
    volume = volume_of(np.where(inside, 40, -850).astype(np.int16), affine)
    nodule = nodule_at(volume.to_mm(np.array([12.0, 32.0, 32.0])), diameter_mm=10.0)
    if outlined:
        nodule = replace(nodule, mask=Mask(voxels=inside, affine=volume.affine))
    return volume, nodule


def test_slices_are_of_what_the_model_may_see() -> None:
    config = replace(SMALL, remembered=3, appearance=True)
    volume, nodule = _ball()
    patches = cut_for(config, volume, nodule)
    assert patches.slices is not None
    assert nodule.mask is not None
    box = (slice(6, 19), slice(11, 55), slice(11, 55))
    expected = slices_of(volume.hu[box], nodule.mask.voxels[box], volume.spacing_mm)
    assert np.array_equal(patches.slices, expected)
    assert cut_for(SMALL, volume, nodule).slices is None
    assert cut_for(config, *_ball(outlined=False)).slices is None


def test_a_nodule_that_nobody_outlined_is_not_judged_by_its_looks() -> None:
    config = replace(narrow("small"), members=2, remembered=3, appearance=True)
    committee = build(config, seed=1).eval()
    assert isinstance(committee, Committee)
    numbers = torch.zeros(2, len(NAMES))
    told = committee.described(numbers, [None, torch.zeros(10, 2, 160, 160)])
    assert told.shape == (2, len(NAMES) + NUMBERS)
    first, second = committee.margins(told)[1].tolist()
    assert np.isnan(first)
    assert second == pytest.approx(0.0, abs=1e-6)


def test_an_expert_on_looks_stands_beside_one_on_measurements() -> None:
    with pytest.raises(ValueError, match="beside one on descriptions"):
        replace(SMALL, appearance=True)
