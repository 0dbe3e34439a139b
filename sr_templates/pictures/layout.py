"""Where things stand on a picture of 1024 x 768, and which parts of it stay free of our text.

Viewers write their own text into the four corners of what they show: patient, image number, window.
A fifth of the width and a tenth of the height of each corner holds none of ours (`in_a_corner`).
A nodule's pages share the header, the large panel and the result beneath it::

    |corner|      banner: research use, or UNTRAINED       |corner|
    |      |  Nodule 1                   Se 4, Im 43 / 133  |      |
    | limits: what the number must be read with                   |
    | +-------------------+  overview: slice and coronal, bars    |
    | |  CT, lung window  |  slice:    macro  meso   colour bar    |
    | |  outline, ruler   |            micro  key                 |
    | +-------------------+                                       |
    | 87 %  probability of malignancy        sizes, notes         |
    |corner|     model, revision, what the frames are    |corner|
"""

WIDTH, HEIGHT = 1024, 768
FRAME_BYTES = WIDTH * HEIGHT * 3
"""True colour, of which lossless compression leaves about a tenth: most of it is flat."""

CORNER_WIDTH, CORNER_HEIGHT = 205, 77

MARGIN = 24
LEFT, RIGHT = MARGIN, WIDTH - MARGIN
CENTRE_LEFT, CENTRE_RIGHT = CORNER_WIDTH + 5, WIDTH - CORNER_WIDTH - 5
"""Between the corners."""

BANNER = 32
PANELS_TOP, LARGE, SMALL = 138, 440, 206
SECOND = LEFT + LARGE + 20
"""Left edge of what stands beside the large panel."""

THIRD = SECOND + SMALL + 20
MAPS = {
    "macro": (SECOND, PANELS_TOP),
    "meso": (THIRD, PANELS_TOP),
    "micro": (SECOND, PANELS_TOP + LARGE - SMALL),
}
KEY = (THIRD, PANELS_TOP + LARGE - SMALL)
COLOUR_BAR = (THIRD + SMALL + 16, PANELS_TOP)

LOCATOR = 250
LOCATORS = ((SECOND, PANELS_TOP), (RIGHT - LOCATOR, PANELS_TOP))
BARS_TOP = PANELS_TOP + LOCATOR + 12

RESULT_TOP = PANELS_TOP + LARGE
FOOTER_TOP = HEIGHT - CORNER_HEIGHT


def in_a_corner(x: float, y: float) -> bool:
    """Whether a pixel lies in one of the corners that are left to the viewer."""
    return (x < CORNER_WIDTH or x >= WIDTH - CORNER_WIDTH) and (
        y < CORNER_HEIGHT or y >= HEIGHT - CORNER_HEIGHT
    )
