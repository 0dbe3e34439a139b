"""Growth in words and numbers; what is within the error of measurement is none."""

from dataclasses import replace
from math import log

import pytest

from sr_templates.findings import Growth
from sr_templates.growth import change_percent, doubling_days, growth_in_words

GREW = Growth(on="2025-07-15", days=184, volume_mm3=300.0, change_percent=52.0, doubling_days=304.6)


def test_the_earlier_ct_the_change_and_the_doubling_time_are_told() -> None:
    assert growth_in_words(GREW, accession="A1") == (
        "Against the CT of 15 Jul 2025 (accession A1), 184 days before: volume then 300 mm3, "
        "now + 52 %, volume doubling time 305 days"
    )


def test_what_differs_between_both_cts_is_told_beside_it() -> None:
    kernel = replace(GREW, limits=("another reconstruction kernel then",))
    assert growth_in_words(kernel) == (
        "Against the CT of 15 Jul 2025, 184 days before: volume then 300 mm3, now + 52 %, "
        "volume doubling time 305 days; limits: another reconstruction kernel then"
    )


@pytest.mark.parametrize(
    ("now_mm3", "told"),
    [
        (1000.0, "now + 0 %, no change beyond the error of measurement (25 %)"),
        (1244.0, "now + 24 %, no change beyond the error of measurement (25 %)"),
        (1245.0, "now + 25 %, volume doubling time 319 days"),
        (2000.0, "now + 100 %, volume doubling time 101 days"),
        (760.0, "now - 24 %, no change beyond the error of measurement (25 %)"),
        (750.0, "now - 25 %"),
        (100.0, "now - 90 %"),
    ],
)
def test_a_doubling_time_is_told_of_growth_beyond_the_error_of_measurement(
    now_mm3: float, told: str
) -> None:
    growth = Growth(
        on="2025-07-15",
        days=101,
        volume_mm3=1000.0,
        change_percent=change_percent(now_mm3=now_mm3, then_mm3=1000.0),
        doubling_days=doubling_days(days=101, now_mm3=now_mm3, then_mm3=1000.0),
    )
    assert growth_in_words(growth) == (
        f"Against the CT of 15 Jul 2025, 101 days before: volume then 1.0 mL, {told}"
    )


def test_the_doubling_time_is_that_of_exponential_growth() -> None:
    assert doubling_days(days=90, now_mm3=800.0, then_mm3=100.0) == pytest.approx(30.0)
    assert doubling_days(days=90, now_mm3=150.0, then_mm3=100.0) == pytest.approx(
        90 * log(2) / log(1.5)
    )
