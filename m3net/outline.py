"""The outline of a nodule on one slice, in DICOM's image-relative coordinates."""

import numpy as np
from numpy.typing import NDArray

Vertex = tuple[float, float]


def outline(mask: NDArray[np.bool_]) -> tuple[Vertex, ...]:
    """The longest outer edge of the marked pixels, as a closed polygon along pixel borders.

    mask   : (rows, columns) bool, at least one pixel set
    returns: vertices as (column, row) where (0, 0) is the outer corner of the first pixel and
             (0.5, 0.5) its centre (PS3.3 C.18.6.1.2); the first vertex is repeated at the end
    """
    follows = _edges(np.pad(mask, 1))
    loops: list[list[tuple[int, int]]] = []
    while follows:
        start = next(iter(follows))
        loop, heading = [start], None
        while True:
            here = loop[-1]
            ways = follows[here]
            step = _leftmost(ways, heading)
            ways.remove(step)
            if not ways:
                del follows[here]
            heading = step
            loop.append((here[0] + step[0], here[1] + step[1]))
            if loop[-1] == start:
                break
        loops.append(loop)
    longest = max(loops, key=len)
    return tuple((float(x - 1), float(y - 1)) for x, y in _corners(longest))


def _edges(mask: NDArray[np.bool_]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Directed pixel borders, marked side on the right: vertex (x, y) -> steps (dx, dy)."""
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y, x in np.argwhere(mask):
        for (ny, nx), vertex, step in (
            ((y - 1, x), (x, y), (1, 0)),
            ((y, x + 1), (x + 1, y), (0, 1)),
            ((y + 1, x), (x + 1, y + 1), (-1, 0)),
            ((y, x - 1), (x, y + 1), (0, -1)),
        ):
            if not mask[ny, nx]:
                steps.setdefault((int(vertex[0]), int(vertex[1])), []).append(step)
    return steps


def _leftmost(ways: list[tuple[int, int]], heading: tuple[int, int] | None) -> tuple[int, int]:
    """Where two pixels touch at a corner only, keep them in one loop by turning left."""
    if heading is None or len(ways) == 1:
        return ways[0]
    left = (heading[1], -heading[0])
    return left if left in ways else ways[0]


def _corners(loop: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The loop without the vertices in the middle of straight runs; closed again."""
    ring = loop[:-1]
    kept = [
        here
        for before, here, after in zip(
            [ring[-1], *ring[:-1]], ring, [*ring[1:], ring[0]], strict=True
        )
        if (here[0] - before[0], here[1] - before[1]) != (after[0] - here[0], after[1] - here[1])
    ]
    return [*kept, kept[0]]
