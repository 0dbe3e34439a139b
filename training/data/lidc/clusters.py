"""Which readings are of one nodule, by the rules of pylidc 0.2.3 (Hancock, MIT licence).

Readings belong together if a point of one is near a point of the other.  Where more than four come
together, which no panel of four readers can have drawn, "near" is made stricter step by step; some
crowds cannot be parted so and stay (13 in the paper's data).

Two things are odd in these rules and kept, since the paper's numbers rest on them: distances are in
voxels, whatever their size, and what is near is the slice thickness in mm taken as a number.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

READERS = 4
STRICTER = 0.9
"""Factor on the distance where a cluster has more than four readings."""
STRICTEST = 0.1
"""Below this distance crowds are left as they are."""


def cluster(points: Sequence[NDArray[np.float64]], *, near: float) -> list[list[int]]:
    """The readings, by number, of each nodule; nodules in ascending mean slice.

    points : per reading (N, 3) as (slice, row, column)
    near   : largest distance between two readings of one nodule
    """
    if not points:
        return []
    distances = _distances(points, up_to=near)
    labels = _components(distances <= near)
    while np.bincount(labels).max() > READERS:
        near *= STRICTER
        if near < STRICTEST:
            break
        labels = _components(distances <= near)
    members = [np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1)]
    slices = [float(each[:, 0].mean()) for each in points]
    return sorted(members, key=lambda numbers: np.mean([slices[n] for n in numbers]))


def _components(adjacent: NDArray[np.bool_]) -> NDArray[np.int32]:
    _, labels = connected_components(adjacent, directed=False)
    return np.asarray(labels)


def _distances(points: Sequence[NDArray[np.float64]], *, up_to: float) -> NDArray[np.float64]:
    """Least distance between the points of two readings; infinite where it is over `up_to`."""
    count = len(points)
    low = np.array([each.min(axis=0) for each in points])
    high = np.array([each.max(axis=0) for each in points])
    gaps = np.maximum(low[:, None] - high[None], low[None] - high[:, None])
    boxes_near = np.linalg.norm(np.maximum(gaps, 0), axis=-1) <= up_to
    distances = np.full((count, count), np.inf)
    np.fill_diagonal(distances, 0)
    trees: dict[int, KDTree] = {}
    for one, other in np.argwhere(np.triu(boxes_near, k=1)).tolist():
        tree = trees.setdefault(one, KDTree(points[one]))
        least = float(tree.query(points[other])[0].min())
        distances[one, other] = distances[other, one] = least
    return distances
