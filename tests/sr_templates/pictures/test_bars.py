"""What a number rests on is drawn to scale, the strongest five measurements, with their words."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sr_templates.pictures import bars, layout
from sr_templates.pictures.bars import draw_grounds
from sr_templates.pictures.capture_view import Grounds
from sr_templates.pictures.pen import CORAL, GROUND, QUIET, Pen
from tests.sr_templates.examples import grounds, legend


def drawn(told: Grounds | None, **more: object) -> tuple[np.ndarray, list[str]]:
    """The pixels, and the words with their numbers."""
    picture = Image.new("RGB", (layout.WIDTH, layout.HEIGHT), GROUND)
    words: list[str] = []

    class Listening(Pen):
        def text(self, at, text, **how):
            words.append(text)
            return super().text(at, text, **how)

    draw_grounds(Listening(picture), legend(grounds=told, **more))
    return np.asarray(picture).astype(int), words


def reach(rgb: np.ndarray, row: int, colour: tuple[int, int, int]) -> int:
    """Pixels of that colour on the bar of a row; 0 and 1 are images and measurements."""
    baseline = layout.BARS_TOP + 12 + 18 * (row + 1) + (24 if row > 1 else 0)
    line = rgb[baseline - 7, bars._AXIS - bars._REACH - 2 : bars._AXIS + bars._REACH + 3]
    return int((np.abs(line - colour).sum(axis=-1) < 5).sum())


def test_bars_are_as_long_as_what_they_say():
    rgb, _ = drawn(grounds())
    assert reach(rgb, 1, CORAL) == pytest.approx(70, abs=1)
    assert reach(rgb, 0, CORAL) == pytest.approx(70 * 0.4 / 1.528, abs=1)
    assert reach(rgb, 2, CORAL) == pytest.approx(70, abs=1)
    assert reach(rgb, 3, QUIET) == pytest.approx(35, abs=1)  # edge, towards less suspicious
    assert reach(rgb, 4, CORAL) == pytest.approx(17.5, abs=1)


def test_five_measurements_are_told_with_their_numbers():
    _, words = drawn(grounds())
    assert {"size", "edge", "density", "roundness", "contrast"} <= set(words)
    assert "attachments" not in words
    assert "volume 998 mm³, median 225" in words
    assert {"+20", "-10", "+5", "+2", "+1", "+0.4", "+1.5"} <= set(words)
    assert (
        "Measurements alone say 71 %, of a median nodule 54 %. The strongest, in points:" in words
    )


def test_bars_of_a_part_say_so():
    _, words = drawn(grounds())
    assert words[0] == "What the number rests on"
    _, words = drawn(replace(grounds(), of_part=True))
    assert words[0] == "What the number rests on (of the part that was imaged)"


def test_where_no_outline_was_drawn_none_is_said_to_weigh():
    _, words = drawn(grounds())
    assert "images and outline" in words
    _, words = drawn(Grounds(images=-0.5, measurements=1.0))
    assert "images and mark" in words


def test_shares_are_told_only_where_both_parts_point_the_same_way():
    _, words = drawn(grounds())
    assert {"21 % of the log odds", "79 % of the log odds"} <= set(words)
    _, words = drawn(Grounds(images=-0.5, measurements=1.0))
    assert not [word for word in words if "%" in word]
    assert words.count("log odds") == 2


@pytest.mark.parametrize(
    ("told", "more", "said"),
    [
        (None, {}, "on images alone: this model takes no measurements"),
        (grounds(), {"trained": False}, "nothing: the networks are untrained"),
        (
            Grounds(images=0.5, measurements=0.1),
            {},
            "no single measurements: they need an outline",
        ),
    ],
)
def test_what_has_no_bars_says_why(told, more, said):
    _, words = drawn(told, **more)
    assert said in words


def test_how_a_nodule_looks_on_slices_has_a_bar_of_its_own():
    _, words = drawn(replace(grounds(), appearance=0.75))
    assert "appearance on slices" in words
    assert "+0.8" in words
    _, words = drawn(grounds())
    assert "appearance on slices" not in words
