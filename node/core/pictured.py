"""What a picture says of model and evidence, in the words that stand on it."""

from dataclasses import dataclass
from datetime import datetime

from m3net.card import ModelCard
from m3net.evidence import Evidence, Measured
from sr_templates.pictures.capture_view import Bar, Grounds, MapStyle
from sr_templates.spoken import volume_in_words

_METHODS = {"hirescam": "HiResCAM", "gradcam": "Grad-CAM"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the pictures of a study look, and which of its results they are.

    max_slices   : of one nodule
    revision, at : of the results, in the site's time zone
    """

    max_slices: int
    maps: MapStyle
    revision: int
    at: datetime


def method_of(card: ModelCard) -> str:
    """How the heat maps are made, by its name in the literature."""
    return _METHODS.get(str(card.config.get("cam", "gradcam")), "Grad-CAM")


def meaning_in_short(card: ModelCard) -> str:
    """What the probability means, and what it does not.

    Of a card that does not say it in short: its first clause, and its "not"s.
    """
    if card.in_short:
        return card.in_short
    first, *others = (clause.strip() for clause in card.meaning.split(";"))
    return "; ".join([first, *(clause for clause in others if clause.startswith("not "))])


def grounds_of(evidence: Evidence | None, *, cut: bool = False) -> Grounds | None:
    """What the probability rests on, ready to be drawn.

    cut : the scan or the image ends in the nodule, and what is measured is the part that was imaged
    """
    if evidence is None:
        return None
    return Grounds(
        images=evidence.images,
        measurements=evidence.measurements,
        appearance=evidence.appearance,
        bars=tuple(
            Bar(words=each.words, detail=_in_words(each, cut=cut), effect=each.effect)
            for each in evidence.measured
        ),
        estimate=evidence.estimate,
        of_usual=evidence.of_usual,
        of_part=cut,
    )


def _in_words(measured: Measured, *, cut: bool) -> str:
    """ "steepness 463 HU/mm, median 285"; a volume as sizes are told everywhere."""
    if measured.unit == "mm³":
        own, usual = (volume_in_words(volume) for volume in (measured.value, measured.usual))
        least = "at least " if cut else ""
        return f"{measured.told_as} {least}{own}, median {usual}"
    value, median = (
        f"{number:,.{measured.decimals}f}".replace(",", " ")
        for number in (measured.value, measured.usual)
    )
    unit = f" {measured.unit}" if measured.unit else ""
    return f"{measured.told_as} {value}{unit}, median {median}"
