"""How a nodule's growth is told: the same in report, lists and messages.

A change of less than 25 % in volume is within the error of measuring the same nodule twice (95 %
limits of agreement of about 25 %: Gietema et al. 2007, Radiology 241:251; adopted by the BTS
guidelines, Callister et al. 2015, Thorax 70 Suppl 2).  It is no growth, and no doubling time is
told of it.  Like a call it is decided on the whole percents that are told.
"""

from datetime import date
from math import log

from sr_templates.findings import Growth
from sr_templates.spoken import volume_in_words, whole

ERROR_PERCENT = 25
"""From so much on a change in volume is more than the error of measurement."""

HOW_GROWTH_IS_RECKONED = (
    "Growth compares the volumes of the marks in both CTs, as they were drawn: two people or "
    "programs who outline the same nodule differ by more than one who does it twice. Less than "
    f"{ERROR_PERCENT} % either way is within the error of measurement. Volume doubling time = days "
    "x ln 2 / ln(volume now / volume then). It tells nothing of nodules whose growth is not told."
)


def change_percent(*, now_mm3: float, then_mm3: float) -> float:
    """By how much the volume differs from the earlier one, in % of that."""
    return 100 * (now_mm3 / then_mm3 - 1)


def doubling_days(*, days: int, now_mm3: float, then_mm3: float) -> float | None:
    """Volume doubling time; None unless the nodule has grown beyond the error of measurement."""
    if whole(change_percent(now_mm3=now_mm3, then_mm3=then_mm3)) < ERROR_PERCENT:
        return None
    return days * log(2) / log(now_mm3 / then_mm3)


def growth_in_words(growth: Growth, *, accession: str = "") -> str:
    """One sentence without its full stop: against which CT, how much, how fast, with what limits.

    "Against the CT of 15 Jul 2025 (accession A1), 184 days before: volume then 300 mm3, now + 52 %;
    volume doubling time 304 days"
    """
    named = f" (accession {accession})" if accession else ""
    change = whole(growth.change_percent)
    said = [f"volume then {volume_in_words(growth.volume_mm3)}", f"now {_signed(change)} %"]
    if growth.doubling_days is not None:
        said.append(f"volume doubling time {whole(growth.doubling_days)} days")
    elif abs(change) < ERROR_PERCENT:
        said.append(f"no change beyond the error of measurement ({ERROR_PERCENT} %)")
    limits = f"; limits: {', '.join(growth.limits)}" if growth.limits else ""
    return (
        f"Against the CT of {day_in_words(growth.on)}{named}, {growth.days} days before: "
        f"{', '.join(said)}{limits}"
    )


def day_in_words(day: str) -> str:
    """ "15 Jul 2025" of "2025-07-15"."""
    on = date.fromisoformat(day)
    return f"{on.day} {on:%b %Y}"


def _signed(number: int) -> str:
    return f"{'-' if number < 0 else '+'} {abs(number)}"
