"""How a nodule is shown in training: turned, bent, and as another reader would have told it.

The augmentation of Sec. 4.3 is one warp of the slice plane, shared by the three scales.

A warp says for each place of the patch where its voxel comes from.  All scales ask the same warp
with the same unit of length, so the micro patch stays the middle of the meso patch, and that of the
macro patch (Eq. 1).  The same warp holds for every slice, as the published code's 2D warps do.

Places are (y, x) from the nodule's centre; 1 is half the side of the macro patch (48 voxels).
A turn is of the patient, in millimetres: about the axis across the slices, mirrored, stretched.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.told import OtherReader

Floats = NDArray[np.float64]
CORNERS = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How likely and how strong each step is.

    probability : of each step in the slice plane by itself
    rotation_deg: an angle up to this, either way
    perspective : each corner moves inwards by up to this share of the half side, on each axis
    spline      : four corners and the centre each move by up to this, on each axis
    stretch     : the patient is turned by any angle about the axis across the slices, mirrored
                  along each axis or not, and stretched by up to this in log size; None: not turned
    other_reader: how else the nodule may be told; None: as it is
    per_scale   : whether each scale draws a warp of its own, in units of its own half side; they
                  are not nested then
    """

    probability: float
    rotation_deg: float
    perspective: float
    spline: float
    stretch: float | None = None
    other_reader: OtherReader | None = None
    per_scale: bool = False


PRESETS = {
    "none": Augmentation(probability=0.0, rotation_deg=0.0, perspective=0.0, spline=0.0),
    "paper": Augmentation(probability=0.5, rotation_deg=180.0, perspective=0.5, spline=0.2),
    "clinical": Augmentation(probability=0.5, rotation_deg=180.0, perspective=0.2, spline=0.05),
    "readers": Augmentation(
        probability=0.0,
        rotation_deg=0.0,
        perspective=0.0,
        spline=0.0,
        stretch=0.1,
        other_reader=OtherReader(
            shift_mm=1.0, slices=0.2, outline=0.08, diameter=0.05, centre=0.04
        ),
    ),
    "release": Augmentation(
        probability=0.5, rotation_deg=180.0, perspective=0.5, spline=0.2, per_scale=True
    ),
}
"""`paper` is what the published code draws, once for all scales: it shrinks a nodule to 35 to 70 %
of its area.  `release` draws it for each scale apart, as that code does.
`clinical` keeps its size within what readers differ by.
`readers` turns the patient and varies what is told, as the networks that ship have learnt it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warp:
    """One drawn transformation; a step that was not drawn is None.

    flip       : mirrored top to bottom
    rotation   : (2, 2)
    homography : (3, 3) on (y, x, 1)
    spline     : the four corners and the centre, (5, 2), go to `spline_to`, (5, 2)
    turn       : (3, 3) on (z, y, x) in mm from the nodule's centre, before the slice plane is bent
    """

    flip: bool = False
    rotation: Floats | None = None
    homography: Floats | None = None
    spline_to: Floats | None = None
    turn: Floats | None = None

    @property
    def still(self) -> bool:
        """Whether it changes nothing."""
        steps = (self.rotation, self.homography, self.spline_to, self.turn)
        return not self.flip and all(step is None for step in steps)

    def __call__(self, places: Floats) -> Floats:
        """Where the voxel shown at each place of the slice plane (..., 2) comes from (..., 2)."""
        if self.spline_to is not None:
            places = _thin_plate(places, _spline_points(), self.spline_to)
        if self.homography is not None:
            projected = places @ self.homography[:, :2].T + self.homography[:, 2]
            places = projected[..., :2] / projected[..., 2:]
        if self.rotation is not None:
            places = places @ self.rotation.T
        if self.flip:
            places = places * np.array([-1.0, 1.0])
        return places


def draw_warp(settings: Augmentation, random: np.random.Generator) -> Warp:
    """A warp with each step drawn by itself; equal generators give equal warps."""
    chosen = random.random(4) < settings.probability
    angle = np.deg2rad(random.uniform(-settings.rotation_deg, settings.rotation_deg))
    inwards = random.uniform(0, settings.perspective, CORNERS.shape)
    moves = random.uniform(-settings.spline, settings.spline, (5, 2))
    cosine, sine = np.cos(angle), np.sin(angle)
    return Warp(
        flip=bool(chosen[0]),
        rotation=np.array([[cosine, -sine], [sine, cosine]]) if chosen[1] else None,
        homography=_homography(CORNERS * (1 - inwards), CORNERS) if chosen[2] else None,
        spline_to=_spline_points() + moves if chosen[3] else None,
        turn=None if settings.stretch is None else _turn(settings.stretch, random),
    )


def _turn(stretch: float, random: np.random.Generator) -> Floats:
    """(3, 3) on (z, y, x): any angle about z, mirrored along any axis, stretched."""
    angle = random.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    about_z = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    mirrored = np.diag(random.choice([-1.0, 1.0], 3))
    return np.asarray(mirrored @ about_z * np.exp(random.uniform(-stretch, stretch)))


def _spline_points() -> Floats:
    return np.vstack([CORNERS, [[0.0, 0.0]]])


def _homography(points: Floats, images: Floats) -> Floats:
    """The projective map (3, 3) that takes four points to their images."""
    rows = []
    for (y, x), (v, u) in zip(points, images, strict=True):
        rows.append([y, x, 1, 0, 0, 0, -v * y, -v * x])
        rows.append([0, 0, 0, y, x, 1, -u * y, -u * x])
    solved = np.linalg.solve(np.array(rows), images.ravel())
    return np.append(solved, 1.0).reshape(3, 3)


def _kernel(distance: Floats) -> Floats:
    """r^2 log r^2 of the thin plate, 0 at r = 0."""
    square = distance**2
    return square * np.log(np.where(square > 0, square, 1.0))


def _thin_plate(places: Floats, points: Floats, images: Floats) -> Floats:
    """The smoothest map that takes the points to their images (Bookstein 1989)."""
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(np.linalg.norm(points[:, None] - points[None], axis=-1))
    system[:count, count:] = np.hstack([np.ones((count, 1)), points])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([images, np.zeros((3, 2))]))
    bent = _kernel(np.linalg.norm(places[..., None, :] - points, axis=-1)) @ weights[:count]
    return np.asarray(bent + weights[count] + places @ weights[count + 1 :])
