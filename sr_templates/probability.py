"""How a probability is told: the same in report, picture, lists and the demo's table."""

UNTRAINED = "UNTRAINED, NOT A RESULT"
"""Stands first wherever a number of untrained weights would otherwise be read as a probability."""


def percent(probability: float) -> float:
    """In %, to one decimal and never rounded to certainty: 0.1 at least, 99.9 at most.

    probability : in [0, 1]
    """
    return min(max(round(100 * probability, 1), 0.1), 99.9)


def percent_text(probability: float) -> str:
    """The same for people: "87.3 %"."""
    return f"{percent(probability):.1f} %"


def threshold_text(threshold: float) -> str:
    """A threshold in %, to the digits that the model states: "50 %"; it is no result."""
    return f"{100 * threshold:g} %"
