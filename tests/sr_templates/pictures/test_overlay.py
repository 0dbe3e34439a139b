from dataclasses import fields, replace

import numpy as np
import pytest

from sr_templates.findings import Location
from sr_templates.pictures import layout, overlay
from sr_templates.pictures.capture_view import Legend, MapStyle, NoduleView, choose_slices
from sr_templates.pictures.layout import LARGE, LEFT, MAPS, PANELS_TOP, SMALL, in_a_corner
from sr_templates.pictures.orientation import edge_letters, letters
from sr_templates.pictures.overlay import render_capture
from sr_templates.pictures.pen import AMBER, TEAL, Pen
from tests.sr_templates.examples import legend, view


def panel(rgb: np.ndarray, name: str) -> np.ndarray:
    """The pixels of one heat map panel."""
    x, y = MAPS[name]
    return rgb[y : y + SMALL, x : x + SMALL].astype(int)


def large(rgb: np.ndarray) -> np.ndarray:
    """The pixels of the large panel."""
    return rgb[PANELS_TOP : PANELS_TOP + LARGE, LEFT : LEFT + LARGE].astype(int)


def pages(*arguments: object) -> list[np.ndarray]:
    """The frames after the overview."""
    return [frame.rgb for frame in render_capture(*arguments)[1:]]


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is written, as it is written."""
    written: list[str] = []
    plain = Pen.text

    def text(pen: Pen, at, text: str, **how) -> float:
        written.append(text)
        return plain(pen, at, text, **how)

    monkeypatch.setattr(Pen, "text", text)
    return written


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        # 40 rows over 206 pixels: (14.5 / 40, 26.5 / 40)
        ("macro", 75, 136),
        # rows 4..36: (10.5 / 32, 22.5 / 32)
        ("meso", 68, 145),
        # rows 10..30: (4.5 / 20, 16.5 / 20)
        ("micro", 46, 170),
    ],
)
def test_the_hot_spot_is_where_the_map_peaks(name, row, column):
    pixels = panel(pages(view(), legend())[0], name)
    warmth = pixels[..., 0] - pixels[..., 2]
    hot = np.argwhere(warmth > 0.9 * warmth.max())
    assert np.abs(hot.mean(axis=0) - (row, column)).max() <= 3


def test_where_the_map_is_low_the_ct_is_grey():
    pixels = panel(pages(view(), legend())[0], "macro")
    corner = pixels[160:170, 20:60]
    assert np.ptp(corner, axis=-1).max() == 0
    # -800 HU in a window of -1350 to 150 is 94, dimmed to 0.4
    assert corner.mean() == 38


def test_a_wide_window_shows_air_black_and_bone_white():
    bare = replace(view(), slab_hu=np.full((3, 40, 40), -1400, dtype=np.int16))
    bare.slab_hu[:, :, 20:] = 400
    for frame in render_capture(bare, legend()):
        assert large(frame.rgb)[300, 100].tolist() == [0, 0, 0]
        assert large(frame.rgb)[300, 350].tolist() == [255, 255, 255]


@pytest.mark.parametrize("frame", [0, 1])
def test_the_outline_follows_the_mask_and_not_its_inside(frame):
    mask = np.zeros((3, 40, 40), dtype=bool)
    mask[:, 15:25, 15:25] = True
    rgb = render_capture(replace(view(), outline=mask), legend())[frame].rgb
    teal = large(rgb)[..., 1] - large(rgb)[..., 0] > 60
    rows, columns = np.nonzero(teal)
    # the mask reaches from 15 to 25 of 40, which is pixels 165 to 275 of 440
    assert [abs(value) <= 3 for value in (rows.min() - 165, rows.max() - 275)] == [True, True]
    assert [abs(value) <= 3 for value in (columns.min() - 165, columns.max() - 275)] == [True] * 2
    assert not teal[180:260, 180:260].any()


@pytest.mark.parametrize("frame", [0, 1])
def test_a_circle_that_nobody_drew_is_dashed_on_every_page(frame, words):
    rows, columns = np.ogrid[:40, :40]
    disc = np.broadcast_to((rows - 19.5) ** 2 + (columns - 19.5) ** 2 <= 64, (3, 40, 40))
    drawn = replace(view(), outline=disc)
    whole = render_capture(drawn, legend())[frame].rgb
    assert "nominal: no outline was drawn" not in words
    dashed = render_capture(replace(drawn, nominal=True), legend())[frame].rgb
    assert words.count("nodule as marked") == words.count("nominal: no outline was drawn") == 1
    turn = np.radians(np.arange(0, 360, 0.5))
    places = [np.rint(219.5 + 88 * wave(turn)).astype(int) for wave in (np.sin, np.cos)]

    def strokes(rgb):
        """How often the line begins on the way round."""
        tone = large(rgb)
        near = [(y, x) for y in range(-3, 4) for x in range(-3, 4)]
        teal = [tone[places[0] + y, places[1] + x] for y, x in near]
        on = np.max([pixels[:, 1] - pixels[:, 0] for pixels in teal], axis=0) > 40
        return int((on & ~np.roll(on, 1)).sum()), float(on.mean())

    assert strokes(whole) == (0, 1.0)
    begun, share = strokes(dashed)
    assert begun == 12
    assert 0.45 < share < 0.7


def test_a_contour_leaves_the_ct_as_bright_as_it_is_and_draws_its_levels():
    pixels = panel(pages(view(), legend(), MapStyle.CONTOUR)[0], "macro")
    assert pixels[160:170, 20:60].mean() == 94
    # the map is exp(-r^2 / 8): its half is 2.35 voxels of 5.15 pixels from (74.7, 136.5)
    row = pixels[75, :, 0] - pixels[75, :, 2]
    crossings = np.flatnonzero(row > 60)
    half = 2.3548 * 206 / 40
    assert np.abs(crossings - (136.5 + half)).min() <= 1.5
    assert np.abs(crossings - (136.5 - half)).min() <= 1.5


def test_what_the_network_was_not_shown_is_dimmed_and_hatched():
    hidden = view()
    shown = {name: mask.copy() for name, mask in hidden.shown.items()}
    shown["macro"][:, :, :10] = False
    pixels = panel(pages(replace(hidden, shown=shown), legend())[0], "macro")
    column = pixels[20:90, 30, 0]  # of 206, voxel 10 ends at 51.5
    levels, counts = np.unique(column, return_counts=True)
    # 38 dimmed to 0.45, and a line on every ninth pixel
    assert levels.tolist() == [17, 64]
    assert counts[1] in (7, 8)
    assert np.unique(pixels[120:160, 54:90, 0]).tolist() == [38]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("blank", overlay.NO_HEAT[0]),
        ("blank here", overlay.NO_HEAT_ON_THIS),
        ("faint here", overlay.FAINT_ON_THIS),
        ("not shown", overlay.NOT_SHOWN),
    ],
)
def test_a_map_that_shows_nothing_says_why(words, what, said):
    plain = view()
    maps, shown = dict(plain.maps), dict(plain.shown)
    maps["meso"] = np.zeros_like(maps["macro"])
    if what == "blank here":
        maps["meso"][2, 5, 5] = 1.0
    if what == "faint here":
        maps["meso"][:2], maps["meso"][2] = 0.19, 0.5
    if what == "not shown":
        shown["meso"] = np.zeros_like(shown["meso"])
    render_capture(replace(plain, maps=maps, shown=shown), legend())
    pages_with = {"blank": 3, "blank here": 2, "faint here": 2, "not shown": 3}
    # the key says once what hatching means
    assert words.count(said) == pages_with[what] + (what == "not shown")


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
    supine = pages(view(), legend())[0]
    prone_view = view(row_direction=(-1.0, 0.0, 0.0), col_direction=(0.0, -1.0, 0.0))
    prone = pages(prone_view, legend())[0]
    changed = np.argwhere((large(supine) != large(prone)).any(axis=-1))
    # the letters stand in the middle of the four edges, and nothing else differs
    assert ((np.abs(changed[:, 0] - 220) < 14) | (np.abs(changed[:, 1] - 220) < 14)).all()
    assert len(changed) > 50


def test_every_frame_of_an_untrained_model_carries_the_amber_banner(words):
    frames = render_capture(view(), legend(trained=False, band=None))
    for frame in frames:
        assert tuple(frame.rgb[2, 2]) == tuple(frame.rgb[2, 1021]) == AMBER
    assert words.count("UNTRAINED, NOT A RESULT") == 2  # banner and call, on the common ground
    assert "nothing: the networks are untrained" in words
    for frame in render_capture(view(), legend()):
        assert tuple(frame.rgb[2, 512]) != AMBER


def test_the_bar_is_as_long_as_the_probability():
    for frame in render_capture(view(), legend(probability=0.25)):
        bar = frame.rgb[layout.RESULT_TOP + 92, LEFT : LEFT + LARGE].astype(int)
        filled = np.flatnonzero(np.abs(bar - bar[5]).sum(axis=-1) < 5)
        assert abs(filled.max() - 110) <= 1


@pytest.mark.parametrize(("probability", "solid", "faint"), [(0.997, 418, 440), (0.003, 0, 22)])
def test_the_bar_is_no_more_exact_than_the_words(probability, solid, faint):
    rgb = render_capture(view(), legend(probability=probability, band=None))[0].rgb
    bar = rgb[layout.RESULT_TOP + 92, LEFT : LEFT + LARGE].astype(int)
    ends = np.flatnonzero(np.abs(np.diff(bar, axis=0)).sum(axis=-1) > 20)
    expected = [end for end in (solid, faint) if 0 < end < LARGE]
    assert [abs(a - b) <= 1 for a, b in zip(ends, expected, strict=True)] == [True] * len(expected)


def test_the_overview_comes_first_and_the_slices_in_the_slabs_order():
    frames = render_capture(view(), legend())
    assert [frame.label for frame in frames] == ["overview", "Im 1", "Im 2", "Im 3"]
    assert [frame.key for frame in frames] == [False, False, True, False]
    assert {frame.rgb.shape for frame in frames} == {(768, 1024, 3)}
    assert frames[0].sources == frames[2].sources


def test_a_label_is_a_short_string_whatever_the_series_number():
    beyond = Location(series_number=3000566, image_number=2, images=1234)
    frames = render_capture(view(), legend(location=beyond))
    assert [frame.label for frame in frames[1:]] == ["Im 1 / 1234", "Im 2 / 1234", "Im 3 / 1234"]


@pytest.mark.parametrize("style", list(MapStyle))
@pytest.mark.parametrize("trained", [True, False])
def test_the_four_corners_are_left_to_the_viewers_text(style, trained):
    told = legend(
        trained=trained,
        tracking_id="A very long tracking identifier of a workstation that likes to be exact",
        limits=["slices of 5 mm are thicker than those that the model learnt from"] * 4,
        notes=["a long note about how this nodule was read from its annotation object"] * 9,
        meaning="what it means is said at length, " * 9,
    )
    corner = np.array([[in_a_corner(x, y) for x in range(1024)] for y in range(768)])
    for frame in render_capture(view(), told, style):
        for rows in (slice(None, layout.BANNER + 1), slice(layout.BANNER + 1, None)):
            shades = frame.rgb[rows][corner[rows]]
            assert len(np.unique(shades, axis=0)) == 1  # banner or ground, and no letter


def test_a_fifth_of_the_width_and_a_tenth_of_the_height_are_a_corner():
    assert in_a_corner(0, 0)
    assert in_a_corner(204, 76)
    assert not in_a_corner(205, 76)
    assert not in_a_corner(204, 77)
    assert in_a_corner(819, 691)
    assert not in_a_corner(818, 691)


def test_pages_of_maps_say_that_measurements_count_too(words):
    render_capture(view(), legend())
    assert "no map shows the measurements'" in words
    words.clear()
    render_capture(view(), legend(grounds=None))
    assert "no map shows the measurements'" not in words


def test_what_has_no_room_is_said_to_be_in_the_report(words):
    told = legend(notes=["a long note about how this nodule was read from its annotation"] * 9)
    render_capture(view(), told)
    assert "... the report says the rest" in words


def test_every_picture_says_its_revision_and_what_the_number_means(words):
    render_capture(view(), legend())
    assert words.count("M3Net small 0.1.0, revision 2 of 28 Nov 2026 03:05") == 2
    assert words.count("as radiologists would rate it; not histology") == 1


def test_drawing_twice_gives_the_same_pixels():
    once, again = (render_capture(view(), legend()) for _ in range(2))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(once, again, strict=True))


def test_no_panel_is_ever_given_a_patient():
    known = {field.name for kind in (NoduleView, Legend) for field in fields(kind)}
    assert not {name for name in known if "patient" in name or "accession" in name}


def test_maps_on_another_grid_are_refused():
    small = view(side=20)
    with pytest.raises(ValueError, match="macro is"):
        replace(view(), maps=small.maps)
    with pytest.raises(ValueError, match="what is shown of macro is"):
        replace(view(), shown=small.shown)


def test_where_the_scans_pixels_may_name_the_patient_no_whole_slice_is_shown(words):
    rgb = render_capture(replace(view(), locator=None), legend())[0].rgb
    x, y = layout.LOCATORS[0]
    teal = np.abs(rgb[y : y + 250, x : x + 250].astype(int) - TEAL).sum(axis=-1) < 10
    assert not teal.any()
    assert "not located: the scan's own pixels may name the patient" in words


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"first": 85, "last": 90, "key": 90}, list(range(85, 91))),
        ({"first": 50, "last": 50, "key": 50}, [49, 50, 51]),
        ({"first": 0, "last": 1, "key": 0}, [0, 1, 2]),
        ({"first": 99, "last": 99, "key": 99}, [97, 98, 99]),
        ({"first": 0, "last": 30, "key": 7, "at_most": 4}, [7, 11, 19, 27]),
        ({"first": 0, "last": 30, "key": 7, "at_most": 1}, [7]),
        ({"first": 0, "last": 1, "key": 1, "total": 2}, [0, 1]),
    ],
)
def test_slices_are_chosen_about_the_nodule_with_the_key_among_them(arguments, expected):
    assert choose_slices(**{"total": 100, **arguments}) == expected
