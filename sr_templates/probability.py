"""How a probability is told: the same in report, picture, lists and the demo's table.

In whole percents, and beyond 5 % and 95 % only that it is beyond: the released weights are off by
3.6 % on average (`ece` of their card), so "99.6 %" would claim what no one has measured.  What was
computed stands where programs read it: to one decimal in the report's NUM, as it is in
`m3node study show --json`.
"""

UNTRAINED = "UNTRAINED, NOT A RESULT"
"""Stands first wherever a number of untrained weights would otherwise be read as a probability."""

LEAST_TOLD, MOST_TOLD = 5, 95
"""In %; what lies beyond is told as "< 5 %" and "> 95 %"."""


def percent(probability: float) -> float:
    """For programs: in %, to one decimal and never rounded to certainty: 0.1 to 99.9.

    probability : in [0, 1]
    """
    return min(max(round(100 * probability, 1), 0.1), 99.9)


def whole_percent(probability: float) -> int:
    """The nearest whole percent, halves up; a call is made on it, so that words never contradict.

    It is rounded from `percent`, as is whatever is told from a report's NUM.
    """
    return int(percent(probability) + 0.5)


def percent_text(probability: float) -> str:
    """For people: "87 %", "> 95 %", "< 5 %"."""
    whole = whole_percent(probability)
    if whole > MOST_TOLD:
        return f"> {MOST_TOLD} %"
    return f"< {LEAST_TOLD} %" if whole < LEAST_TOLD else f"{whole} %"


def told_range(probability: float) -> tuple[float, float]:
    """Between what the words leave it, in [0, 1]: (0.87, 0.87) of "87 %", (0.95, 1) of "> 95 %"."""
    whole = whole_percent(probability)
    if whole > MOST_TOLD:
        return MOST_TOLD / 100, 1.0
    return (0.0, LEAST_TOLD / 100) if whole < LEAST_TOLD else (whole / 100, whole / 100)


def threshold_text(threshold: float) -> str:
    """A threshold in %, to the digits that the model states: "50 %"; it is no result."""
    return f"{100 * threshold:g} %"
