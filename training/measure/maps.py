"""Whether the maps of where the network looked say something of the nodule, measured.

A map is worth showing if its heat lies on the nodule and not at the border of what was shown, if
the decision moves when what is hot is taken away and returns when it alone is put back (deletion
and insertion, Petsiuk et al. 2018), if it stays when the patch is cut a little aside, and if a
network that knows nothing draws another one (Adebayo et al. 2018).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.network import build
from m3net.nodule import Nodule
from m3net.patches import Patch, Patches
from m3net.predict import TorchClassifier
from m3net.prediction import HeatMap
from m3net.preprocessing import cut_for
from m3net.resample import heat_map_on_grid
from m3net.scales import Scale
from training.data.cutouts import nodule_of, volume_of
from training.data.voi import Cutout

LUNG_HU = -850.0
DELETED = 0.05
"""Share of what was shown that the deletion test takes away, and the insertion test puts back."""
ASIDE_MM = (1.0, 1.0, 0.0)
"""LPS, by which the patch's centre is moved to see whether the map stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapQuality:
    """Of the map of one nodule at one scale, or the mean over nodules.

    heat_on_nodule : share of the heat that lies on the marked nodule
    nodule_share   : share of what was shown that is nodule: what heat spread evenly would have
    peak_on_nodule : 1 if the maximum lies on the nodule, or next to it
    peak_at_border : 1 if it lies in the outermost voxels of what was shown, away from the nodule
    heat_at_border : share of the heat that lies in those voxels, away from the nodule
    border_share   : share of what was shown that they are: what heat spread evenly would have
    deletion       : how far the log odds move, either way, if the hottest voxels become lung
    random_deletion: the same for as many voxels drawn at random
    insertion      : how far they move if, of lung alone, the hottest voxels become what they were
    random_insertion: the same for as many voxels drawn at random
    moved_aside    : correlation with the map of a patch that was cut ASIDE_MM away
    random_weights : correlation with the map that random weights draw
    """

    heat_on_nodule: float
    nodule_share: float
    peak_on_nodule: float
    peak_at_border: float
    heat_at_border: float
    border_share: float
    deletion: float
    random_deletion: float
    insertion: float
    random_insertion: float
    moved_aside: float
    random_weights: float


def measure_maps(
    classifier: TorchClassifier,
    cutouts: Iterable[Cutout],
    *,
    seed: int = 0,
    on_nodule: Callable[[], None] = lambda: None,
) -> Mapping[Scale, MapQuality]:
    """The mean over the nodules, per scale; blank maps, which say nothing, are left out."""
    # random weights remember nothing
    config = replace(classifier.network.config, remembered=0, appearance=False)
    ignorant = replace(classifier, network=build(config, seed=seed).eval())
    rng = np.random.default_rng(seed)
    found: dict[Scale, list[MapQuality]] = {}
    for cutout in cutouts:
        for scale, quality in _of_one(classifier, ignorant, cutout, rng).items():
            found.setdefault(scale, []).append(quality)
        on_nodule()
    return {scale: _mean(qualities) for scale, qualities in found.items()}


def _of_one(
    classifier: TorchClassifier,
    ignorant: TorchClassifier,
    cutout: Cutout,
    rng: np.random.Generator,
) -> dict[Scale, MapQuality]:
    volume, nodule = volume_of(cutout), nodule_of(cutout)
    config = classifier.network.config
    patches = cut_for(config, volume, nodule)
    prediction = classifier.predict(patches)
    aside = classifier.predict(cut_for(config, volume, _moved(nodule))).heat_maps
    blind = ignorant.predict(patches).heat_maps
    return {
        scale: _quality(
            heat,
            patch=patches.scales[scale],
            aside=aside[scale],
            blind=blind[scale],
            log_odds=partial(_log_odds_without, classifier, patches, scale),
            rng=rng,
        )
        for scale, heat in prediction.heat_maps.items()
        if heat.values.max() > 0
    }


def _quality(
    heat: HeatMap,
    *,
    patch: Patch,
    aside: HeatMap,
    blind: HeatMap,
    log_odds: Callable[[NDArray[np.bool_]], float],
    rng: np.random.Generator,
) -> MapQuality:
    """log_odds : the decision with lung in place of these voxels (D, H, W)."""
    assert patch.mask is not None, "the model was told an outline"  # noqa: S101
    values, shown = heat.values, patch.valid
    nodule = patch.mask > 0.5
    beside = ndimage.binary_dilation(nodule, np.ones((3, 3, 3)))
    border = shown & ~ndimage.binary_erosion(shown, border_value=0)
    peak = np.unravel_index(int(values.argmax()), values.shape)
    hot, drawn = _highest(values, shown), _highest(rng.random(shown.shape), shown)
    whole, nothing = log_odds(np.zeros_like(shown)), log_odds(shown)
    again = np.nan_to_num(heat_map_on_grid(aside, affine=heat.affine, shape=patch.hu.shape))
    return MapQuality(
        heat_on_nodule=float(values[nodule].sum() / values.sum()),
        nodule_share=float(nodule.sum() / shown.sum()),
        peak_on_nodule=float(beside[peak]),
        peak_at_border=float(border[peak] and not beside[peak]),
        heat_at_border=float(values[border & ~beside].sum() / values.sum()),
        border_share=float((border & ~beside).sum() / shown.sum()),
        deletion=abs(log_odds(hot) - whole),
        random_deletion=abs(log_odds(drawn) - whole),
        insertion=abs(log_odds(shown & ~hot) - nothing),
        random_insertion=abs(log_odds(shown & ~drawn) - nothing),
        moved_aside=_correlation(values[shown], again[shown]),
        random_weights=_correlation(values[shown], blind.values[shown]),
    )


def _moved(nodule: Nodule) -> Nodule:
    x, y, z = np.add(nodule.centre_mm, ASIDE_MM).tolist()
    return replace(nodule, centre_mm=(x, y, z))


def _highest(values: NDArray[np.floating], shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The DELETED share of what was shown with the highest values."""
    count = max(1, round(DELETED * int(shown.sum())))
    ranked = np.argsort(np.where(shown, values, -np.inf), axis=None, kind="stable")
    chosen = np.zeros(shown.size, dtype=np.bool_)
    chosen[ranked[-count:]] = True
    return chosen.reshape(shown.shape)


def _without(patches: Patches, scale: Scale, cold: NDArray[np.bool_]) -> Patches:
    """The patches with lung in place of these voxels of one of them."""
    patch = patches.scales[scale]
    left = replace(patch, hu=np.where(cold, np.float32(LUNG_HU), patch.hu))
    return replace(patches, scales={**patches.scales, scale: left})


def _log_odds_without(
    classifier: TorchClassifier, patches: Patches, scale: Scale, cold: NDArray[np.bool_]
) -> float:
    """The decision with lung in place of these voxels of one scale."""
    p = classifier.predict(_without(patches, scale, cold)).probability
    p = min(max(p, 1e-6), 1 - 1e-6)
    return float(np.log(p / (1 - p)))


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Pearson's; 0 where one of them is the same everywhere."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _mean(qualities: list[MapQuality]) -> MapQuality:
    rows = [asdict(quality) for quality in qualities]
    return MapQuality(
        **{f.name: float(np.mean([row[f.name] for row in rows])) for f in fields(MapQuality)}
    )
