"""The page of all nodules: by risk, each with its place, nothing left out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sr_templates.findings import ImageReference
from sr_templates.pictures import layout, study_page
from sr_templates.pictures.layout import in_a_corner
from sr_templates.pictures.pen import AMBER, TEAL, Pen
from sr_templates.pictures.study_page import Listed, render_study
from tests.sr_templates.examples import legend, view


def listed(*probabilities: float, **told: object) -> list[Listed]:
    """Nodules 1, 2, ... with these probabilities."""
    return [
        Listed(
            view=view(),
            legend=legend(tracking_id=f"Nodule {number}", probability=probability, **told),
        )
        for number, probability in enumerate(probabilities, start=1)
    ]


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    written: list[str] = []
    plain = Pen.text

    def text(pen: Pen, at, text: str, **how) -> float:
        written.append(text)
        return plain(pen, at, text, **how)

    monkeypatch.setattr(Pen, "text", text)
    return written


def names(words: Sequence[str]) -> list[str]:
    return [word for word in words if word.startswith("Nodule ")]


def test_the_most_suspicious_comes_first(words):
    (page,) = render_study(listed(0.1, 0.9, 0.5))
    assert names(words) == ["Nodule 2", "Nodule 3", "Nodule 1"]
    assert "All 3 nodules" in words
    assert page.label == "all 3 nodules"
    assert page.rgb.shape == (768, 1024, 3)


def test_untrained_there_is_no_order_of_risk(words):
    (page,) = render_study(listed(0.1, 0.9, trained=False, band=None))
    assert names(words) == ["Nodule 1", "Nodule 2"]
    assert "in the order of the annotation" in words
    assert tuple(page.rgb[2, 2]) == AMBER


def test_thirteen_nodules_are_on_three_pages_and_none_is_lost(words):
    pages = render_study(listed(*(0.05 * n for n in range(1, 14))))
    assert [page.label for page in pages] == [
        "nodules 1 to 6 of 13",
        "nodules 7 to 12 of 13",
        "nodules 13 to 13 of 13",
    ]
    assert names(words) == [f"Nodule {n}" for n in range(13, 0, -1)]


def test_what_was_not_analysed_is_named_above_the_list(words):
    (page,) = render_study(
        listed(0.1, 0.9),
        not_analysed=["Nodule 3", "Nodule 4"],
        warnings=["2 of 4 nodules analysed. The report says why."],
    )
    assert (
        "2 of 4 nodules analysed. The report says why. Not analysed: Nodule 3, Nodule 4." in words
    )
    assert page.label == "2 of 4 nodules"
    pages = render_study(listed(*(0.1 * n for n in range(1, 8))), not_analysed=["Nodule 8"])
    assert [page.label for page in pages] == [
        "nodules 1 to 6 of 7 analysed",
        "nodules 7 to 7 of 7 analysed",
    ]


def test_more_names_than_find_room_are_counted_and_the_warning_stays(words):
    """A line that is too long never gives way to a mere hint at the report."""
    (page,) = render_study(
        listed(0.1, 0.9),
        not_analysed=[f"Lesion number {n} of follow up" for n in range(16, 28)],
        warnings=["2 of 14 nodules analysed. Not every annotation was read. The report says why."],
    )
    (line,) = [text for text in words if text.startswith("2 of 14 nodules analysed")]
    assert line == (
        "2 of 14 nodules analysed. Not every annotation was read. The report says why. "
        "Not analysed: Lesion number 16 of follow up and 11 more."
    )
    beside = page.rgb[80:100, layout.RIGHT + 1 :].astype(int)
    assert (abs(beside - beside[0, 0]) == 0).all()


def test_each_row_has_two_locators_with_the_box_where_the_nodule_is():
    (page,) = render_study(listed(0.1, 0.9))
    for number in range(2):
        top = study_page._FIRST_TOP + number * study_page._STEP
        part = page.rgb[top : top + 90, layout.LEFT : layout.LEFT + 90].astype(int)
        rows, columns = np.nonzero(np.abs(part - TEAL).sum(axis=-1) < 10)
        # the slab's 40 x 40 pixels begin at (20, 50) of 100 x 100, on 90 pixels
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (18, 54, 45, 81)


def test_the_page_refers_to_every_key_slice_on_it():
    first, second = listed(0.1, 0.9)
    other = ImageReference(sop_class_uid="1.2", sop_instance_uid="2.25.77")
    slices = [replace(each, source=other) for each in second.view.slices]
    (page,) = render_study([first, replace(second, view=replace(second.view, slices=slices))])
    assert page.sources == (other, first.view.slices[1].source)


def test_the_corners_are_left_to_the_viewer_and_a_full_page_keeps_within():
    told = listed(*[0.9] * 6, limits=["slices of 5 mm are thicker than the model learnt from"] * 5)
    (page,) = render_study(told, warnings=["a long warning about what was left out of this"] * 6)
    corner = np.array([[in_a_corner(x, y) for x in range(1024)] for y in range(768)])
    below = slice(layout.BANNER + 1, None)
    assert len(np.unique(page.rgb[below][corner[below]], axis=0)) == 1
