"""Sizes and places as people read them."""

import pytest

from sr_templates.findings import Consistency, Lobe, Location, Measurements, RatedAlike, Side
from sr_templates.spoken import (
    counted,
    image_in_words,
    lung_in_words,
    measured_in_words,
    rated_in_words,
    size_in_words,
    volume_in_words,
)


def test_lengths_are_whole_millimetres_and_the_mean_is_taken_before_rounding() -> None:
    assert size_in_words(Measurements(long_axis_mm=8.4, short_axis_mm=5.4)) == "8 x 5 mm, mean 7 mm"
    assert size_in_words(Measurements(long_axis_mm=8.5)) == ""


@pytest.mark.parametrize(
    ("volume_mm3", "told"),
    [(381.7, "382 mm3"), (999.4, "999 mm3"), (1000.0, "1.0 mL"), (9123.0, "9.1 mL")],
)
def test_a_volume_is_told_in_cubic_millimetres_or_millilitres(volume_mm3: float, told: str) -> None:
    assert volume_in_words(volume_mm3) == told


def test_what_was_not_measured_is_not_told() -> None:
    assert measured_in_words(Measurements()) == ""
    assert measured_in_words(
        Measurements(mean_hu=-612.2, consistency=Consistency.GROUND_GLASS)
    ) == ("mean -612 HU, ground glass (measured from the mark)")


@pytest.mark.parametrize(
    ("contains_air", "told"), [(True, ", contains air"), (False, ""), (None, "")]
)
def test_air_within_is_told_and_its_absence_is_not(contains_air: bool | None, told: str) -> None:
    measured = Measurements(mean_hu=-200.0, contains_air=contains_air)
    assert measured_in_words(measured) == f"mean -200 HU{told} (measured from the mark)"


@pytest.mark.parametrize(
    ("location", "told"),
    [
        (Location(), ""),
        (Location(side=Side.LEFT), "left lung"),
        (Location(side=Side.RIGHT, lobe=Lobe.MIDDLE), "right lung, middle lobe"),
    ],
)
def test_the_lung_is_told_as_far_as_it_is_known(location: Location, told: str) -> None:
    assert lung_in_words(location) == told


@pytest.mark.parametrize(
    ("series", "image", "images", "told"),
    [
        (4, 43, 133, "Se 4, Im 43 / 133"),
        (None, 43, 133, "Im 43 / 133"),
        (4, 143, 133, "Se 4, Im 143"),
        (4, 0, 133, "Se 4, Im 0"),
        (4, 43, None, "Se 4, Im 43"),
        (4, None, 133, ""),
    ],
)
def test_the_key_slice_has_the_numbers_that_a_pacs_shows(
    series: int | None, image: int | None, images: int | None, told: str
) -> None:
    location = Location(series_number=series, image_number=image, images=images)
    assert image_in_words(location) == told


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 slices"), (1, "1 slice"), (2, "2 slices"), (1000, "1000 slices")]
)
def test_a_noun_is_in_the_plural_but_for_one(number: int, words: str) -> None:
    assert counted(number, "slice") == words


def test_what_was_rated_alike_is_told_to_one_decimal_rounded_outwards() -> None:
    assert rated_in_words(None) == ""
    assert rated_in_words(RatedAlike(low=2.33, middle=3.25, high=4.25)) == (
        "of 10 nodules of a like probability, radiologists rated 9 from 2.3 to 4.3 of 5 for "
        "suspicion"
    )
    assert "from 1 to 3 of 5" in rated_in_words(RatedAlike(low=1.0, middle=2.0, high=3.0))
