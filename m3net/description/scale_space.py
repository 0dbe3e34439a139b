"""Blobs and edges of two sizes, in a nodule and near it (Lindeberg 1998)."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.description.cubes import Cubes

SIGMAS_MM = (1.0, 2.0)

SCALE_SPACE = tuple(
    f"{name}_{sigma:g}_mm"
    for sigma in SIGMAS_MM
    for name in (
        "blob_mean",
        "blob_sd",
        "blob_05",
        "blob_95",
        "edge_mean",
        "edge_sd",
        "near_blob_mean",
        "near_blob_sd",
        "near_blob_05",
        "near_edge_mean",
    )
)


def measure_scale_space(cubes: Cubes) -> NDArray[np.float64]:
    """The numbers of `SCALE_SPACE`: (20,), in HU.

    blob : Laplacian of Gaussian times sigma squared, negative in the middle of something dense
    edge : gradient magnitude times sigma
    """
    numbers: list[float] = []
    inside, near = cubes.inside, cubes.near
    for sigma in SIGMAS_MM:
        blob = ndimage.gaussian_laplace(cubes.hu, sigma) * sigma**2
        edge = ndimage.gaussian_gradient_magnitude(cubes.hu, sigma) * sigma
        within, around = blob[inside], blob[near] if near.any() else np.zeros(1)
        numbers += [
            within.mean(),
            within.std(),
            *np.percentile(within, (5, 95)),
            edge[inside].mean(),
            edge[inside].std(),
            around.mean(),
            around.std(),
            np.percentile(around, 5),
            edge[near].mean() if near.any() else 0.0,
        ]
    return np.array(numbers)
