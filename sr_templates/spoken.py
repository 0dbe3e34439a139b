"""Sizes, places and numbers in words: the same in report, picture and lists.

Lengths are told in whole millimetres, halves up (Bankier et al. 2017, Radiology 285:584); the mean
is taken before it is rounded.
"""

from math import ceil, floor

from sr_templates.findings import Location, Measurements, RatedAlike


def size_in_words(measured: Measurements) -> str:
    """ "33 x 24 mm, mean 29 mm"; empty if no axis was measured."""
    long_mm, short_mm, mean_mm = (
        measured.long_axis_mm,
        measured.short_axis_mm,
        measured.mean_axis_mm,
    )
    if long_mm is None or short_mm is None or mean_mm is None:
        return ""
    return f"{whole(long_mm)} x {whole(short_mm)} mm, mean {whole(mean_mm)} mm"


def volume_in_words(volume_mm3: float) -> str:
    """ "382 mm3"; from a millilitre on "9.1 mL"."""
    return f"{whole(volume_mm3)} mm3" if volume_mm3 < 1000 else f"{volume_mm3 / 1000:.1f} mL"


def measured_in_words(measured: Measurements) -> str:
    """Everything that was measured, and from what; empty if nothing was."""
    parts = [
        size_in_words(measured),
        "" if measured.volume_mm3 is None else volume_in_words(measured.volume_mm3),
        "" if measured.mean_hu is None else f"mean {measured.mean_hu:.0f} HU",
        "" if measured.consistency is None else measured.consistency.value,
        "contains air" if measured.contains_air else "",
    ]
    told = ", ".join(part for part in parts if part)
    return f"{told} (measured from the mark)" if told else ""


def rated_in_words(rated: RatedAlike | None) -> str:
    """ "of 10 nodules of a like probability, radiologists rated 9 from 2 to 3.5"; empty of None.

    To one decimal, rounded outwards.
    """
    if rated is None:
        return ""
    low, high = floor(10 * rated.low) / 10, ceil(10 * rated.high) / 10
    return (
        f"of 10 nodules of a like probability, radiologists rated 9 from {low:g} to {high:g} of 5 "
        "for suspicion"
    )


def lung_in_words(location: Location) -> str:
    """ "left lung, lower lobe"; empty if neither is known."""
    side = "" if location.side is None else f"{location.side.value} lung"
    lobe = "" if location.lobe is None else location.lobe.value
    return ", ".join(part for part in (side, lobe) if part)


def image_in_words(location: Location) -> str:
    """ "Se 4, Im 43 / 133": the key slice as a PACS shows it; empty if it has no number.

    A number beyond the count, as in a series that does not begin at 1, stands without the count.
    """
    number, images = location.image_number, location.images
    if number is None:
        return ""
    series = "" if location.series_number is None else f"Se {location.series_number}, "
    counted = images is not None and 1 <= number <= images
    return f"{series}Im {number} / {images}" if counted else f"{series}Im {number}"


def whole(value: float) -> int:
    """The nearest whole number, halves up."""
    return floor(value + 0.5)


def counted(number: int, noun: str) -> str:
    """ "1 slice", "2 slices": the number and its noun, in the plural where that is due."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
