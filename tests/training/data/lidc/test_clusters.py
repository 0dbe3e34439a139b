"""Readings come together by pylidc's rules, odd ones included."""

import numpy as np

from training.data.lidc.clusters import cluster


def _at(*places: tuple[float, float, float]) -> list[np.ndarray]:
    """One reading per place: two points, one voxel apart."""
    return [np.array([place, (place[0], place[1], place[2] + 1)], dtype=float) for place in places]


def test_readings_whose_outlines_come_near_are_one_nodule() -> None:
    points = _at((5, 10, 10), (5, 10, 13), (5, 30, 10))
    assert cluster(points, near=2.0) == [[0, 1], [2]]


def test_readings_exactly_as_far_apart_as_allowed_are_one_nodule() -> None:
    points = _at((5, 10, 10), (5, 10, 13.5))
    assert cluster(points, near=2.5) == [[0, 1]]
    assert cluster(points, near=2.4) == [[0], [1]]


def test_a_chain_of_neighbours_is_one_nodule() -> None:
    assert cluster(_at((5, 10, 10), (5, 10, 13), (5, 10, 16)), near=2.0) == [[0, 1, 2]]


def test_nodules_are_numbered_by_ascending_slice() -> None:
    assert cluster(_at((9, 10, 10), (2, 90, 90), (5, 50, 50)), near=2.0) == [[1], [2], [0]]


def test_more_than_four_readings_are_parted_by_a_stricter_distance() -> None:
    # Three touch, three touch, and 1.9 voxels lie between: 2.0 takes all six, 1.8 parts them.
    left = [(5.0, 10.0, 10.0)] * 3
    right = [(5.0, 10.0, 12.9)] * 3
    assert cluster(_at(*left, *right), near=2.0) == [[0, 1, 2], [3, 4, 5]]


def test_a_crowd_that_cannot_be_parted_stays() -> None:
    assert cluster(_at(*[(5, 10, 10)] * 6), near=2.0) == [[0, 1, 2, 3, 4, 5]]


def test_a_scan_without_readings_has_no_nodule() -> None:
    assert cluster([], near=2.0) == []
