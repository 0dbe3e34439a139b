"""A thorax as distances: one axial slice at a time, in HU.

Every organ is a signed distance in mm (negative inside), painted over what lies below it with an
edge one pixel soft.  Proportions are those of an adult lying on a table with the arms raised.
"""

import functools

import numpy as np
from scipy.interpolate import PchipInterpolator

from node.demo.grid import Field

AIR_HU, FAT_HU, MUSCLE_HU, BLOOD_HU, CORTEX_HU = -1000.0, -102.0, 56.0, 165.0, 780.0
LEVEL_MM = 24.0
"""Height of a vertebra with its disc, and the distance between ribs."""

_Z = (-300.0, -200.0, -120.0, -60.0, -30.0, -10.0, 0.0)


def _along_z(*values: float) -> PchipInterpolator:
    return PchipInterpolator(_Z, values)


_BODY_X = _along_z(163, 164, 167, 168, 164, 158, 154)
_BODY_Y = _along_z(114, 116, 114, 106, 98, 92, 88)
_CAGE_X = _along_z(127, 129, 120, 98, 78, 50, 26)
_CAGE_Y = _along_z(90, 91, 85, 72, 58, 39, 20)
_CAGE_CENTRE_Y = _along_z(3, 3, 5, 12, 18, 24, 28)


def ellipse(x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float]) -> Field:
    """Roughly the distance to an ellipse, mm; right near its rim."""
    u, v = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
    norm = np.sqrt(u * u + v * v)
    slope = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2) / np.maximum(norm, 1e-3)
    return np.asarray((norm - 1) / np.maximum(slope, 1 / max(radii)), dtype=np.float32)


def _boxy(x: Field, y: Field, radii: tuple[float, float], power: float) -> Field:
    norm = (np.abs(x / radii[0]) ** power + np.abs(y / radii[1]) ** power) ** (1 / power)
    reach = np.hypot(x, y) / np.maximum(norm, 1e-3)
    return np.asarray((norm - 1) * reach, dtype=np.float32)


def _ellipsoid(
    x: Field,
    y: Field,
    z: float,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    turn: float = 0.0,
) -> Field:
    if abs(z - centre[2]) > 1.2 * radii[2]:
        return np.full((1, 1), 0.2 * min(radii), dtype=np.float32)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = x - centre[0], y - centre[1]
    u = (cos * dx + sin * dy) / radii[0]
    v = (-sin * dx + cos * dy) / radii[1]
    w = (z - centre[2]) / radii[2]
    return np.asarray((np.sqrt(u * u + v * v + w * w) - 1) * min(radii), dtype=np.float32)


def _rod(x: Field, y: Field, a: tuple[float, float], b: tuple[float, float], r: float) -> Field:
    ax, ay = b[0] - a[0], b[1] - a[1]
    t = np.clip(((x - a[0]) * ax + (y - a[1]) * ay) / (ax * ax + ay * ay), 0, 1)
    return np.asarray(np.hypot(x - a[0] - t * ax, y - a[1] - t * ay) - r, dtype=np.float32)


def _step(value: Field | float, low: float, high: float) -> Field:
    t = np.clip((np.asarray(value, dtype=np.float32) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def cage(x: Field, y: Field, z: float) -> Field:
    """Distance to the inner surface of the rib cage."""
    return _boxy(x, y - float(_CAGE_CENTRE_Y(z)), (float(_CAGE_X(z)), float(_CAGE_Y(z))), 2.45)


def heart(x: Field, y: Field, z: float) -> Field:
    """Distance to the heart's surface."""
    return _ellipsoid(x, y, z, (20, -26, -212), (62, 47, 60), 0.55)


def diaphragm(x: Field, y: Field) -> Field:
    """Height z of the diaphragm above each point."""
    right = -218 - 0.0048 * (x + 66) ** 2 - 0.0066 * (y + 12) ** 2
    left = -230 - 0.0052 * (x - 70) ** 2 - 0.0066 * (y + 8) ** 2
    return np.maximum(right, left)


def lung(x: Field, y: Field, z: float) -> Field:
    """Distance to the lungs' surface: in the cage, beside the mediastinum, over the diaphragm."""
    wide = 21 + 9 * float(_step(z, -230, -130)) - 5 * float(_step(z, -75, -20))
    half = 5 + wide * np.exp(-(((y - 2) / np.where(y < 2, 34, 30)) ** 2))
    middle = half - np.abs(x - 3 - 2 * np.sin(y / 17))
    spine = -ellipse(x, y, (0, 70), (25, 27))
    aorta = -ellipse(x, y, (23, 46), (17, 17)) if z < -84 else -30.0
    over = 0.75 * (diaphragm(x, y) - z)
    distance = functools.reduce(
        np.maximum, (cage(x, y, z) + 1.0, middle, spine, over, 3 - heart(x, y, z))
    )
    return np.asarray(np.maximum(distance, aorta), dtype=np.float32)


def oblique_fissure(x: Field, y: Field, z: Field | float) -> Field:
    """Distance to the oblique fissure; positive in the upper (and middle) lobe."""
    return np.asarray(0.68 * (z + 155 - 1.05 * y - 7 * np.sin(x / 33)), dtype=np.float32)


def minor_fissure(x: Field, y: Field, z: Field | float) -> Field:
    """Distance to the right lung's horizontal fissure; positive in the upper lobe."""
    return np.asarray(z + 142 - 0.12 * y - 9 * np.cos(x / 45), dtype=np.float32)


class Canvas:
    """One slice that is painted from the back to the front."""

    def __init__(self, x: Field, y: Field, pixel_mm: float) -> None:
        self.x, self.y = x, y
        self.hu = np.full(np.broadcast_shapes(x.shape, y.shape), AIR_HU, dtype=np.float32)
        self._soft = 1 / pixel_mm

    def paint(self, distance: Field, hu: Field | float) -> None:
        """What lies inside `distance` has `hu` now."""
        if float(distance.min()) * self._soft > 0.5:
            return
        cover = np.clip(0.5 - distance * self._soft, 0, 1)
        self.hu += cover * (hu - self.hu)


def thorax_slice(x: Field, y: Field, z: float, pixel_mm: float, mottle: Field) -> Canvas:
    """The slice at `z` without airways, vessels and nodules.

    x, y   : (1, X), (Y, 1) LPS mm
    mottle : (Y, X) smooth noise of unit deviation, the unevenness of tissue
    """
    c = Canvas(x, y, pixel_mm)
    _table(c)
    inner = cage(x, y, z)
    body = _outline(c, z)
    _wall(c, inner, body, z, mottle)
    _mediastinum_and_abdomen(c, inner, z, mottle)
    _ribs(c, inner, z)
    _sternum(c, z)
    _shoulder_blades(c, body, z, mottle)
    _spine(c, z, mottle)
    _lungs(c, z, mottle)
    return c


def _table(c: Canvas) -> None:
    sag = 126 + 0.00055 * c.x**2 * -1 + 8
    deck = np.abs(c.y - sag) - 7
    edge = np.abs(c.x) - 172
    c.paint(np.maximum(deck, edge), -930.0)
    c.paint(np.maximum(np.abs(deck) - 0.8, edge), -250.0)


def _outline(c: Canvas, z: float) -> Field:
    x, y = c.x, c.y
    body = _boxy(x, y - 4, (float(_BODY_X(z)), float(_BODY_Y(z))), 2.35)
    # A groove over the spine keeps the outline from being an egg.
    groove = 5 * np.exp(-(((np.abs(x) - 4) / 12) ** 2)) * _step(y, 60, 110)
    return np.asarray(body + groove, dtype=np.float32)


def _wall(c: Canvas, inner: Field, body: Field, z: float, mottle: Field) -> None:
    x, y = c.x, c.y
    c.paint(body, 15.0)
    c.paint(body + 2.0, FAT_HU + 6 * mottle)
    angle = np.arctan2(np.abs(x), -(y - float(_CAGE_CENTRE_Y(z))))
    chest = 15 * np.exp(-(((angle - 0.75) / 0.38) ** 2)) * float(_step(z, -200, -110))
    side = 8 * np.exp(-(((angle - 1.75) / 0.45) ** 2))
    blade = 24 * np.exp(-(((angle - 2.25) / 0.38) ** 2)) * float(_step(z, -185, -110))
    muscle = MUSCLE_HU + 7 * mottle - 60 * np.clip(mottle - 1.5, 0, 1)
    high = 22 * float(_step(z, -95, -15))
    layer = np.maximum(inner - 12 - chest - side - blade - high, body + 9)
    c.paint(np.maximum(layer, 13.0 - inner), muscle)
    for x0 in (-31.0, 31.0):
        c.paint(np.maximum(ellipse(x, y, (x0, 101), (25, 14)), body + 6), muscle)
    c.paint(np.maximum(inner - 10.5, body + 5), -60 + 8 * mottle)
    c.paint(np.maximum(np.abs(inner - 5) - 3.2, body + 5), MUSCLE_HU - 8 + 6 * mottle)


def _ribs(c: Canvas, inner: Field, z: float) -> None:
    x, y = c.x, c.y
    centre = float(_CAGE_CENTRE_Y(z))
    angle = np.arctan2(np.abs(x), y - centre)  # 0 at the back, pi in front
    drop = 84 * (1 - np.cos(np.minimum(angle, 2.5))) / 2 - 60 * _step(angle, 2.35, 3.0)
    height = np.mod(z + drop, LEVEL_MM) - LEVEL_MM / 2
    rib = np.hypot(inner - 5, 0.62 * height) - 3.9
    cartilage = np.maximum(rib + 0.6, 2.2 - angle)
    bone = np.maximum.reduce([rib, 0.18 - angle, 20 * (angle - 2.38)])
    c.paint(np.maximum(cartilage, 20 * (angle - 2.95)), 105.0)
    c.paint(bone, CORTEX_HU)
    c.paint(bone + 1.5, 260.0)


def _sternum(c: Canvas, z: float) -> None:
    if not -205 < z < -24:
        return
    front = float(_CAGE_CENTRE_Y(z)) - float(_CAGE_Y(z)) - 5
    half = 15 + 12 * float(_step(z, -75, -45)) - 6 * float(_step(-z, 165, 200))
    bone = _rod(c.x, c.y, (-half, front + 2), (half, front + 2), 5.5)
    c.paint(bone, 480.0)
    c.paint(bone + 1.3, 150.0)


def _shoulder_blades(c: Canvas, body: Field, z: float, mottle: Field) -> None:
    if z < -150:
        return
    reach = float(_step(z, -150, -70))
    for side in (-1.0, 1.0):
        back = 91 - 16 * float(_step(z, -90, 0))
        a = (side * (92 - 8 * reach), back)
        b = (side * (98 + 36 * reach), back - 5 - 36 * reach)
        flesh = np.maximum(_rod(c.x, c.y, a, b, 6 + 13 * reach), body + 7)
        c.paint(flesh, MUSCLE_HU + 7 * mottle - 60 * np.clip(mottle - 1.5, 0, 1))
        plate = _rod(c.x, c.y, a, b, 2.4)
        neck = _rod(c.x, c.y, b, (b[0] - side * 1.0, b[1] + 1.0), 2 + 5.5 * reach)
        c.paint(np.minimum(plate, neck), 620.0)
        c.paint(np.minimum(plate + 1.4, neck + 1.6), 230.0)
        if z > -75:
            spine = _rod(c.x, c.y, (side * 108, back - 12), (side * 124, back - 8), 2.4)
            c.paint(spine, 600.0)


def _spine(c: Canvas, z: float, mottle: Field) -> None:
    x, y = c.x, c.y
    level = float(np.mod(z + 6, LEVEL_MM)) - LEVEL_MM / 2  # 0 in the middle of a vertebral body
    disc = abs(level) > 9.5
    waist = 1.8 * max(0.0, 1 - (level / 9) ** 2)
    body = ellipse(x, y, (0, 64), (17.5 - waist, 14.5 - waist))
    c.paint(np.maximum(_rod(x, y, (0, 84), (0, 92), 20), -body), MUSCLE_HU + 5 * mottle)
    if disc:
        c.paint(body, 92.0)
    else:
        c.paint(body, 560.0 if abs(level) > 8 else 430.0)
        c.paint(body + 1.7, (330.0 if abs(level) > 8 else 175.0) + 22 * mottle)
    arch = ellipse(x, y, (0, 86), (14.5, 12.5))
    if level < 3:
        c.paint(arch, 520.0)
    else:
        c.paint(np.maximum(arch, 88 - y), 520.0)
    if abs(level) < 7:
        spinous = _rod(x, y, (0, 97), (0, 109), 3.0)
        c.paint(spinous, 520.0)
        c.paint(spinous + 1.4, 220.0)
    if abs(level) < 5:
        for side in (-1.0, 1.0):
            process = _rod(x, y, (side * 12, 86), (side * 33, 95), 4.6 - 0.3 * abs(level))
            c.paint(process, 500.0)
            c.paint(process + 1.5, 200.0)
    c.paint(ellipse(x, y, (0, 86), (10.5, 8.5)), 8.0)
    c.paint(ellipse(x, y, (0, 86), (6, 5)), 38.0)


def _mediastinum_and_abdomen(c: Canvas, inner: Field, z: float, mottle: Field) -> None:
    x, y = c.x, c.y
    c.paint(inner - 1.0, FAT_HU + 12 + 9 * mottle)
    c.paint(np.maximum(inner - 1.5, -inner - 1.2), 40.0)
    under = np.maximum(z - diaphragm(x, y) + 1.0, inner + 0.5)
    c.paint(np.maximum(z - diaphragm(x, y), inner + 0.5), 45.0)
    c.paint(under + 2, FAT_HU + 9 * mottle)
    liver = np.maximum(under + 2.5, x - 12 + 0.35 * (y - 5) - 0.6 * (z + 300))
    c.paint(np.maximum(liver, -ellipse(x, y, (0, 72), (36, 36))), 112 + 5 * mottle)
    spleen = np.maximum(_ellipsoid(x, y, z, (84, 50, -292), (38, 27, 46), -0.5), under + 3)
    c.paint(spleen, 122 + 4 * mottle)
    stomach = np.maximum(_ellipsoid(x, y, z, (66, -22, -288), (42, 38, 44), 0.3), under + 4)
    c.paint(stomach, 62.0)
    c.paint(stomach + 4, 18.0)
    c.paint(np.maximum(stomach + 4.5, y + 34), -985.0)
    _heart(c, z, mottle)


def _heart(c: Canvas, z: float, mottle: Field) -> None:
    x, y = c.x, c.y
    muscle = heart(x, y, z)
    c.paint(muscle, 92 + 5 * mottle)
    chambers = (
        ((44, -18, -220), (31, 19, 34), 0.75),
        ((14, -52, -216), (36, 14, 38), 0.30),
        ((-22, -26, -208), (20, 25, 36), 0.0),
        ((8, 8, -190), (30, 17, 24), 0.1),
    )
    for centre, radii, turn in chambers:
        blood = _ellipsoid(x, y, z, centre, radii, turn)
        c.paint(np.maximum(blood, muscle + 3), BLOOD_HU + 3 * mottle)


def _lungs(c: Canvas, z: float, mottle: Field) -> None:
    x, y = c.x, c.y
    air = lung(x, y, z)
    hu = -872 + 0.22 * (y + 90) + 11 * mottle
    fissure = np.exp(-((oblique_fissure(x, y, z) / 0.9) ** 2))
    right_upper = (x < 0) & (oblique_fissure(x, y, z) > 0)
    fissure = fissure + right_upper * np.exp(-((minor_fissure(x, y, z) / 1.1) ** 2)) * 0.7
    c.paint(air, hu + 170 * fissure)
