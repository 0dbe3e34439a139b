"""Grids of voxels: the places of their points, and boxes cut out of the CT's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from m3net.volume import CTVolume, transform

Size3 = tuple[int, int, int]
V = TypeVar("V", bound=np.generic)


def grid_points(affine: NDArray[np.float64], shape: Size3) -> NDArray[np.float64]:
    """Every index (z, y, x) of a grid of this shape (Z, Y, X), mapped: (Z, Y, X, 3)."""
    return transform(affine, np.moveaxis(np.indices(shape), 0, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class GridBox:
    """A part of the CT's grid: `first` index (z, y, x), may be outside it, and `shape`."""

    first: Size3
    shape: Size3

    @classmethod
    def whole(cls, array: NDArray[np.generic]) -> "GridBox":
        """The box of an array (Z, Y, X) that lies on the whole CT."""
        z, y, x = array.shape
        return cls(first=(0, 0, 0), shape=(z, y, x))

    @classmethod
    def about(cls, index: ArrayLike) -> "GridBox":
        """The least box that holds these points (N, 3) between its voxels' centres."""
        points = np.asarray(index, dtype=np.float64)
        low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
        z, y, x = (int(n) for n in low)
        depth, height, width = (int(n) for n in high - low + 1)
        return cls(first=(z, y, x), shape=(depth, height, width))

    @property
    def slices(self) -> range:
        """The CT's slices that it lies on; some may lie outside the CT."""
        return range(self.first[0], self.first[0] + self.shape[0])

    def affine(self, volume: CTVolume) -> NDArray[np.float64]:
        """(4, 4), index (z, y, x) in the box -> LPS mm."""
        affine = volume.affine.copy()
        affine[:3, 3] = volume.to_mm(self.first)
        return affine

    def cut(self, array: NDArray[V], *, of: "GridBox", fill: float) -> NDArray[V]:
        """What lies in this box of an array that fills the box `of`; `fill` where nothing does."""
        cut = np.full(self.shape, fill, dtype=array.dtype)
        first = [max(a, b) for a, b in zip(self.first, of.first, strict=True)]
        last = [
            max(begin, min(a + n, b + m))
            for begin, a, n, b, m in zip(
                first, self.first, self.shape, of.first, of.shape, strict=True
            )
        ]
        cut[self._slices(first, last)] = array[of._slices(first, last)]
        return cut

    def _slices(self, first: Sequence[int], last: Sequence[int]) -> tuple[slice, ...]:
        return tuple(
            slice(begin - origin, end - origin)
            for begin, end, origin in zip(first, last, self.first, strict=True)
        )
