from dataclasses import fields, replace

import numpy as np
import pytest

from sr_templates import overlay
from sr_templates.capture_view import Legend, NoduleView, choose_slices
from sr_templates.colour_map import HEAT, opacity
from sr_templates.orientation import edge_letters, letters
from sr_templates.overlay import render_capture
from sr_templates.panel import Field
from sr_templates.pen import AMBER, writable
from tests.sr_templates.examples import legend, view


def panel(rgb: np.ndarray, name: str) -> np.ndarray:
    """The pixels of one heat map panel."""
    x, y = overlay._CELLS[name]
    return rgb[y : y + overlay.SMALL, x : x + overlay.SMALL].astype(int)


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        # 40 rows over 226 pixels: (14.5 / 40, 26.5 / 40)
        ("macro", 82, 150),
        # rows 4..36: (10.5 / 32, 22.5 / 32)
        ("meso", 74, 159),
        # rows 10..30: (4.5 / 20, 16.5 / 20)
        ("micro", 51, 186),
    ],
)
def test_the_hot_spot_is_where_the_map_peaks(name, row, column):
    (frame, *_) = render_capture(view(), legend())
    pixels = panel(frame.rgb, name)
    warmth = pixels[..., 0] - pixels[..., 2]
    hot = np.argwhere(warmth > 0.9 * warmth.max())
    assert np.abs(hot.mean(axis=0) - (row, column)).max() <= 3


def test_where_the_map_is_low_the_ct_is_grey():
    pixels = panel(render_capture(view(), legend())[0].rgb, "macro")
    corner = pixels[180:190, 20:60]
    assert np.ptp(corner, axis=-1).max() == 0
    # -800 HU in a window of -1350 to 150, dimmed to 0.8
    assert int(corner.mean()) == round(550 / 1500 * 255 * 0.8)


def test_a_wide_window_shows_air_black_and_bone_white():
    bare = replace(view(), slab_hu=np.full((3, 40, 40), -1400, dtype=np.int16))
    bare.slab_hu[:, :, 20:] = 400
    rgb = render_capture(bare, legend())[0].rgb
    assert rgb[500, 100].tolist() == [0, 0, 0]
    assert rgb[500, 400].tolist() == [255, 255, 255]


def test_the_outline_follows_the_mask_and_not_its_inside():
    mask = np.zeros((3, 40, 40), dtype=bool)
    mask[:, 15:25, 15:25] = True
    rgb = render_capture(replace(view(), outline=mask), legend())[0].rgb.astype(int)
    large = rgb[124:604, 24:504]
    teal = large[..., 1] - large[..., 0] > 60
    rows, columns = np.nonzero(teal[100:400, 100:400])
    # the mask reaches from 15 to 25 of 40, which is pixels 180 to 300
    assert abs(rows.min() + 100 - 180) <= 3
    assert abs(rows.max() + 100 - 300) <= 3
    assert abs(columns.min() + 100 - 180) <= 3
    assert not teal[200:280, 200:280].any()


@pytest.mark.parametrize(
    ("row", "col", "expected"),
    [
        ((1, 0, 0), (0, 1, 0), "R L A P"),  # supine, head first
        ((-1, 0, 0), (0, -1, 0), "L R P A"),  # prone, head first
        ((0, 1, 0), (0, 0, -1), "A P H F"),  # sagittal
        ((1, 0, 0), (0, 0.94, -0.34), "R L AH PF"),  # gantry tilted by 20 degrees
        ((0.8, 0.6, 0), (-0.6, 0.8, 0), "RA LP AL PR"),  # oblique
        ((0.995, 0.1, 0), (-0.1, 0.995, 0), "R L A P"),  # a little askew
    ],
)
def test_letters_say_where_the_edges_point(row, col, expected):
    edges = edge_letters(row, col)
    assert " ".join(edges[edge] for edge in ("left", "right", "top", "bottom")) == expected


def test_letters_put_the_largest_component_first():
    assert letters((-0.5, 0.6, 0.62)) == "HPR"


def test_turning_the_patient_changes_the_letters_in_the_picture():
    supine = render_capture(view(), legend())[0].rgb
    prone_view = view(row_direction=(-1.0, 0.0, 0.0), col_direction=(0.0, -1.0, 0.0))
    prone = render_capture(prone_view, legend())[0].rgb
    changed = np.argwhere((supine != prone).any(axis=-1))
    # the letters stand in the middle of the four edges of each panel, and nothing else differs
    in_large = changed[(changed[:, 1] < 504)]
    assert ((np.abs(in_large[:, 0] - 364) < 14) | (np.abs(in_large[:, 1] - 264) < 14)).all()
    assert len(in_large) > 50


def test_every_frame_of_an_untrained_model_carries_the_amber_banner():
    for frame in render_capture(view(), legend(trained=False, band=None)):
        assert tuple(frame.rgb[2, 512]) == AMBER
    for frame in render_capture(view(), legend()):
        assert tuple(frame.rgb[2, 512]) != AMBER


def test_the_bar_is_as_long_as_the_probability():
    rgb = render_capture(view(), legend(probability=0.25))[0].rgb.astype(int)
    bar = rgb[overlay.PANELS_TOP + overlay.LARGE + 91, 24:504]
    filled = np.flatnonzero(np.abs(bar - bar[5]).sum(axis=-1) < 5)
    assert abs(filled.max() - 120) <= 1


def test_frames_name_their_slice_and_the_key():
    frames = render_capture(view(), legend())
    assert [frame.label for frame in frames] == ["slice 1", "slice 2", "slice 3"]
    assert [frame.key for frame in frames] == [False, True, False]
    assert {frame.rgb.shape for frame in frames} == {(768, 1024, 3)}


def test_drawing_twice_gives_the_same_pixels():
    once, again = (render_capture(view(), legend()) for _ in range(2))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(once, again, strict=True))


def test_no_panel_is_ever_given_a_patient():
    known = {field.name for kind in (NoduleView, Legend) for field in fields(kind)}
    assert not {name for name in known if "patient" in name or "accession" in name}


def test_letters_that_the_typeface_lacks_become_readable_or_question_marks():
    assert writable("Läsion  1") == "Lasion 1"
    assert writable("結節 1") == "?? 1"


def test_maps_on_another_grid_are_refused():
    small = view(side=20)
    with pytest.raises(ValueError, match="macro is"):
        replace(view(), maps=small.maps)


def test_anisotropic_pixels_are_drawn_square_in_millimetres():
    field = Field.around((0, 20), (0, 40), (1.0, 0.5))
    assert field.side_mm == 20
    assert field.pixel(10, 20, 100) == (50, 50)
    wide = Field.around((0, 20), (0, 40), (0.5, 0.5))
    assert wide.pixel(0, 0, 100) == (0, 25)


def test_the_colours_grow_lighter_from_end_to_end():
    lightness = HEAT.astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) >= -0.8).all()
    assert lightness[-1] - lightness[0] > 150


def test_low_values_are_clear_and_the_hottest_still_shows_the_ct():
    values = np.array([0, 0.1, 0.15, 1, np.nan], dtype=np.float32)
    assert opacity(values).tolist() == pytest.approx([0, 0, 0, 0.8, 0])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"first": 85, "last": 94, "key": 90}, list(range(85, 95))),
        ({"first": 50, "last": 50, "key": 50}, [48, 49, 50, 51, 52]),
        ({"first": 0, "last": 1, "key": 0}, [0, 1, 2, 3, 4]),
        ({"first": 99, "last": 99, "key": 99}, [95, 96, 97, 98, 99]),
        ({"first": 0, "last": 30, "key": 7, "at_most": 4}, [0, 7, 20, 30]),
        ({"first": 0, "last": 1, "key": 1, "total": 2}, [0, 1]),
    ],
)
def test_slices_are_chosen_about_the_nodule_with_the_key_among_them(arguments, expected):
    assert choose_slices(**{"total": 100, **arguments}) == expected
