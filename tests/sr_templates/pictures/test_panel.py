import numpy as np
from PIL import Image

from sr_templates.pictures.panel import Field, add_line, softened, windowed


def test_anisotropic_pixels_are_drawn_square_in_millimetres():
    field = Field.around((0, 20), (0, 40), (1.0, 0.5))
    assert field.side_mm == 20
    assert field.pixel(10, 20, 100) == (50, 50)
    wide = Field.around((0, 20), (0, 40), (0.5, 0.5))
    assert wide.pixel(0, 0, 100) == (0, 25)


def test_a_field_that_reaches_beyond_the_slice_is_black_there():
    values = np.full((10, 10), 200, dtype=np.uint8)
    field = Field.around((-5, 15), (-5, 15), (1.0, 1.0))
    sampled = np.asarray(field.sample(values, 100))
    assert sampled[50, 50] == 200
    assert not sampled[:25].any()
    assert not sampled[:, 75:].any()
    beside = Field.around((30, 50), (30, 50), (1.0, 1.0))
    assert not np.asarray(beside.sample(values, 100)).any()


def test_a_window_is_a_part_of_the_whole():
    values = np.random.default_rng(1).integers(0, 255, (30, 30)).astype(np.float32)
    field = Field.around((2, 28), (3, 29), (1.0, 1.0))
    whole = np.asarray(field.sample(values, 130))
    part = np.asarray(field.sample(values, 130, window=(40, 20, 90, 100)))
    assert np.abs(part - whole[20:100, 40:90]).max() < 0.05


def test_not_a_number_and_air_are_black():
    assert windowed(np.array([np.nan, -1400.0, -600.0, 900.0])).tolist() == [0, 0, 128, 255]


def test_a_line_stands_at_the_masks_edge_with_a_dark_hem():
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:15, 5:15] = True
    panel = Image.new("RGB", (200, 200), (120, 120, 120))
    field = Field.around((0, 20), (0, 20), (1.0, 1.0))
    add_line(panel, softened(mask), field, level=0.5, colour=(255, 255, 255), width=2.0)
    row = np.asarray(panel)[100, :, 0].astype(int)
    assert abs(int(row[:100].argmax()) - 50) <= 1
    assert abs(int(row[100:].argmax()) + 100 - 150) <= 1
    assert row[46:50].min() < 100  # the hem
    assert row[100] == 120


def test_a_map_without_such_a_level_gets_no_line():
    panel = Image.new("RGB", (50, 50))
    field = Field.around((0, 20), (0, 20), (1.0, 1.0))
    add_line(panel, np.zeros((20, 20), np.float32), field, level=0.5, colour=(9, 9, 9), width=1.0)
    assert not np.asarray(panel).any()
