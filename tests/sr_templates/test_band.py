"""No side is taken in the band, and nothing is ever called benign."""

import pytest

from sr_templates.band import Band, Call

BAND = Band.about(0.5, half_width=0.15)


@pytest.mark.parametrize(
    ("probability", "call", "words"),
    [
        (0.04, Call.BELOW, "below the indeterminate band of 35 % to 65 %"),
        (0.3443, Call.BELOW, "below the indeterminate band of 35 % to 65 %"),
        (0.3451, Call.WITHIN, "indeterminate: within 35 % to 65 %"),  # told as 35 %
        (0.35, Call.WITHIN, "indeterminate: within 35 % to 65 %"),
        (0.435, Call.WITHIN, "indeterminate: within 35 % to 65 %"),
        (0.5, Call.WITHIN, "indeterminate: within 35 % to 65 %"),
        (0.65, Call.WITHIN, "indeterminate: within 35 % to 65 %"),
        (0.6543, Call.WITHIN, "indeterminate: within 35 % to 65 %"),  # told as 65 %
        (0.6551, Call.ABOVE, "above the indeterminate band of 35 % to 65 %"),
        (0.999, Call.ABOVE, "above the indeterminate band of 35 % to 65 %"),
    ],
)
def test_a_probability_is_below_within_or_above(probability: float, call: Call, words: str) -> None:
    assert BAND.call(probability) is call
    assert BAND.in_words(probability) == words


def test_a_band_ends_where_probabilities_do() -> None:
    assert Band.about(0.9, half_width=0.2) == Band(low=0.7, high=1.0)
    assert Band.about(0.1, half_width=0.2) == Band(low=0.0, high=0.3)


def test_no_call_is_benign() -> None:
    assert [call.value for call in Call] == ["below", "within", "above"]
