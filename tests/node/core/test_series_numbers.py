"""Results are numbered behind the CT, so that no viewer opens a study on them."""

import pytest

from node.core.results import ArtifactKind
from node.core.series_numbers import LARGEST, series_numbers


@pytest.mark.parametrize(
    ("above", "report"),
    [
        (0, 9101),
        (9100, 9101),
        (9101, 99_101),
        (9102, 99_101),
        (3_000_566, 9_999_101),
        (999_999_100, 999_999_101),
        (999_999_101, 2_147_483_641),
    ],
)
def test_every_result_is_numbered_behind_the_ct(above: int, report: int) -> None:
    numbers = series_numbers(report=9101, captures=9102, above=above)
    assert numbers[ArtifactKind.REPORT] == report
    assert numbers[ArtifactKind.CAPTURE] == report + 1
    assert min(numbers.values()) > above


def test_every_kind_has_a_number_of_its_own() -> None:
    numbers = series_numbers(report=70, captures=60, above=5)
    assert numbers == {
        ArtifactKind.REPORT: 70,
        ArtifactKind.CAPTURE: 60,
        ArtifactKind.PRESENTATION_STATE: 72,
        ArtifactKind.KEY_OBJECTS: 73,
        ArtifactKind.PDF: 74,
        ArtifactKind.PARAMETRIC_MAP: 75,
        ArtifactKind.REJECTION_NOTE: 76,
    }


@pytest.mark.parametrize("above", [LARGEST - 3, LARGEST, 10**11])
def test_no_number_is_too_large_for_an_integer_string(above: int) -> None:
    assert max(series_numbers(report=9101, captures=9102, above=above).values()) == LARGEST
