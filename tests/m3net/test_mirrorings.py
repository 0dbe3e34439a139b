"""A decision over mirror images is their mean, and the mean map lies where the nodule does."""

import torch

from m3net.mirrorings import mean_logits, mean_map, mirrorings_of
from m3net.scales import Scale


def test_a_nodule_is_seen_as_it_is_and_mirrored_along_each_axis() -> None:
    x = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    both = mirrorings_of({Scale.MICRO: x}, mirrored=True)[Scale.MICRO]
    assert both.flatten(1).tolist() == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [4, 5, 6, 7, 0, 1, 2, 3],
        [2, 3, 0, 1, 6, 7, 4, 5],
        [1, 0, 3, 2, 5, 4, 7, 6],
    ]


def test_a_model_that_is_not_mirrored_has_no_mirror_image() -> None:
    x = torch.rand(2, 1, 2, 2, 2)
    assert torch.equal(mirrorings_of({Scale.MACRO: x}, mirrored=False)[Scale.MACRO], x)
    assert torch.equal(mean_map(x[:, 0], nodules=2), x[:, 0])


def test_logits_are_averaged_for_each_nodule() -> None:
    of_two = torch.tensor([[0.0, 0], [1, 1], [0, 4], [1, 5], [0, 0], [1, 1], [0, 4], [1, 1]])
    assert mean_logits(of_two, nodules=2).tolist() == [[0.0, 2.0], [1.0, 2.0]]


def test_maps_are_mirrored_back_before_they_are_averaged() -> None:
    maps = torch.rand(2, 3, 4, 5)
    both = mirrorings_of({Scale.MICRO: maps[:, None]}, mirrored=True)[Scale.MICRO][:, 0]
    assert torch.allclose(mean_map(both, nodules=2), maps)
