"""The nodule in the whole patient: the boxes stand where it lies."""

from dataclasses import replace

import numpy as np

from sr_templates.pictures import layout
from sr_templates.pictures.overlay import render_capture
from sr_templates.pictures.pen import TEAL
from tests.sr_templates.examples import legend, locator, view


def box(rgb: np.ndarray, corner: tuple[int, int]) -> tuple[int, int, int, int]:
    """First and last row and column of the teal box in a locator."""
    x, y = corner
    part = rgb[y : y + layout.LOCATOR, x : x + layout.LOCATOR].astype(int)
    rows, columns = np.nonzero(np.abs(part - TEAL).sum(axis=-1) < 10)
    return int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())


def test_the_box_on_the_whole_slice_is_what_the_large_panel_shows():
    rgb = render_capture(view(), legend())[0].rgb
    # the slab's 40 x 40 pixels begin at (20, 50) of 100 x 100, on 250 pixels
    assert box(rgb, layout.LOCATORS[0]) == (50, 150, 125, 225)


def test_the_box_on_the_coronal_is_about_the_nodule():
    rgb = render_capture(view(), legend())[0].rgb
    # 28 mm about (120, 60) of 200 x 200 mm: 17.5 pixels about (150, 75)
    assert box(rgb, layout.LOCATORS[1]) == (132, 167, 57, 92)


def test_a_slice_of_unequal_pixels_is_drawn_square_in_millimetres():
    wide = replace(
        view(),
        spacing_mm=(1.0, 0.5),
        locator=replace(
            locator(), slice_hu=np.full((50, 100), -200, dtype=np.int16), first=(5, 20)
        ),
    )
    rgb = render_capture(wide, legend())[0].rgb
    x, y = layout.LOCATORS[0]
    # 50 rows of 1 mm and 100 columns of 0.5 mm fill the square
    assert (rgb[y + 3 : y + 20, x + 3 : x + 100] == 196).all()
    assert (rgb[y + 240 : y + 248, x + 160 : x + 240] == 196).all()
    # 40 rows of 5 pixels from 5, and 40 columns of 2.5 pixels from 20
    assert box(rgb, layout.LOCATORS[0]) == (25, 225, 50, 150)


def test_what_was_not_scanned_is_black_in_the_coronal():
    rgb = render_capture(view(), legend())[0].rgb
    x, y = layout.LOCATORS[1]
    assert rgb[y + 40, x + 60].tolist() == [0, 0, 0]
    assert rgb[y + 200, x + 200].tolist() == [60, 60, 60]  # -1000 HU
