"""How a probability is told in the objects; tests/node/test_one_probability.py has the rest."""

from dataclasses import replace

import pytest

from sr_templates import codes
from sr_templates.pictures.overlay import render_capture
from sr_templates.pictures.pen import Pen
from sr_templates.probability import percent, percent_text, threshold_text
from tests.sr_templates.examples import FULL, ROUND, legend, view
from tests.sr_templates.objects.test_measurement_report import items, report

TOLD = [
    (1.0, "> 95 %"),
    (0.996, "> 95 %"),
    (0.9551, "> 95 %"),
    (0.95, "95 %"),
    (0.873, "87 %"),
    (0.5, "50 %"),
    (0.435, "44 %"),
    (0.125496, "13 %"),
    (0.05, "5 %"),
    (0.0449, "5 %"),
    (0.0444, "< 5 %"),
    (0.0016, "< 5 %"),
    (0.0, "< 5 %"),
]
NUMBERS = [
    (0.9996, 99.9),
    (1.0, 99.9),
    (0.996, 99.6),
    (0.873, 87.3),
    (0.125496, 12.5),
    (0.0016, 0.2),
    (0.0004, 0.1),
    (0.0, 0.1),
]


@pytest.mark.parametrize(("probability", "told"), TOLD)
def test_no_more_is_told_than_the_calibration_bears(probability: float, told: str) -> None:
    assert percent_text(probability) == told
    assert percent_text(percent(probability) / 100) == told  # whoever has only the report


@pytest.mark.parametrize(("probability", "number"), NUMBERS)
def test_the_number_of_the_report_is_never_certainty(probability: float, number: float) -> None:
    built = report(replace(FULL, nodules=(replace(ROUND, probability=probability),)))
    (item,) = items(built, codes.PROBABILITY_OF_CANCER.value)
    assert item.MeasuredValueSequence[0].NumericValue == number


@pytest.mark.parametrize(("probability", "told"), TOLD)
def test_the_picture_says_the_same(
    probability: float, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    draw = Pen.text

    def recorded(pen: Pen, place: tuple[float, float], words: str, **how: object) -> float:
        drawn.append(words)
        return draw(pen, place, words, **how)

    monkeypatch.setattr(Pen, "text", recorded)
    render_capture(view(), legend(probability=probability))
    assert next(words for words in drawn if words.endswith(" %")) == told


@pytest.mark.parametrize(
    ("threshold", "told"), [(0.5, "50 %"), (0.4713, "47.13 %"), (0.57, "57 %"), (0.999, "99.9 %")]
)
def test_a_threshold_is_told_to_the_digits_that_the_model_states(
    threshold: float, told: str
) -> None:
    assert threshold_text(threshold) == told
