"""HU become input channels in one way, for training and for serving."""

from dataclasses import replace

import pytest
import torch

from m3net.config import PAPER, RELEASE, SMALL, Preprocessing
from m3net.preprocessing import to_input

HU = torch.tensor([[[[-1000.0, -300.0], [400.0, 1800.0]]]])
VALID = torch.tensor([[[[False, True], [True, True]]]])


def test_release_scales_each_crop_by_its_own_minimum_and_maximum() -> None:
    x = to_input(HU, VALID, None, RELEASE.preprocessing)
    assert x.shape == (1, 1, 1, 2, 2)
    assert torch.allclose(x.flatten(), torch.tensor([0.0, 0.25, 0.5, 1.0]))


def test_each_sample_of_a_batch_is_scaled_alone() -> None:
    x = to_input(torch.cat([HU, 2 * HU]), VALID.expand(2, 1, 2, 2), None, RELEASE.preprocessing)
    assert torch.allclose(x[0], x[1])


def test_a_crop_of_one_value_becomes_zero() -> None:
    x = to_input(torch.full((1, 1, 2, 2), -1000.0), VALID, None, RELEASE.preprocessing)
    assert (x == 0).all()


def test_paper_leaves_hu_as_they_are() -> None:
    assert torch.equal(to_input(HU, VALID, None, PAPER.preprocessing)[:, 0], HU)


def test_small_clips_a_window_and_marks_padding() -> None:
    x = to_input(HU, VALID, torch.zeros(1, 1, 2, 2), SMALL.preprocessing)
    assert x.shape == (1, 3, 1, 2, 2)
    assert x[0, 0].flatten().tolist() == pytest.approx([0.0, 0.5, 1.0, 1.0])
    assert x[0, 1].flatten().tolist() == [0.0, 1.0, 1.0, 1.0]


def test_padding_is_zero_even_below_the_window() -> None:
    wide = Preprocessing(intensity="hu_window", window_hu=(-1400.0, 200.0))
    assert to_input(HU, VALID, None, wide)[0, 0, 0, 0, 0] == 0.0


def test_the_mask_is_the_last_channel() -> None:
    config = replace(SMALL.preprocessing, mask=True)
    mask = torch.tensor([[[[0.0, 0.0], [0.5, 1.0]]]])
    x = to_input(HU, VALID, mask, config)
    assert x.shape[1] == config.channels == 3
    assert torch.equal(x[:, 2], mask)


def test_a_mask_that_is_wanted_and_missing_is_an_error() -> None:
    with pytest.raises(ValueError, match="none was cut"):
        to_input(HU, VALID, None, replace(SMALL.preprocessing, mask=True))
