"""The nodules of a job's summary, as report and picture word them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sr_templates.findings import Growth, Lobe, Location, Measurements, Side
from sr_templates.growth import growth_in_words
from sr_templates.probability import percent_text
from sr_templates.spoken import image_in_words, lung_in_words, size_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleWords:
    """One nodule; what is not known is empty.

    probability : "87 %", "> 95 %"; empty where there is none, and `reason` says why
    growth      : against an earlier CT, or why none is told; empty where there is none
    """

    name: str
    lung: str
    image: str
    size: str
    probability: str
    reason: str
    limits: tuple[str, ...]
    growth: str

    @property
    def where(self) -> str:
        """Lung and key slice."""
        return ", ".join(part for part in (self.lung, self.image) if part)


def nodule_words(nodule: Mapping[str, Any]) -> NoduleWords:
    """Of one entry of a job's summary; of a job from before something was noted, without it."""
    place = _place(nodule.get("location") or {})
    probability = nodule["probability"]
    return NoduleWords(
        name=nodule["tracking_id"],
        lung=lung_in_words(place),
        image=image_in_words(place),
        size=_size(nodule.get("measurements") or {}, nodule["diameter_mm"]),
        probability="" if probability is None else percent_text(probability),
        reason=nodule["reason"] or "",
        limits=tuple(nodule.get("limits") or ()),
        growth=_growth(nodule),
    )


def _growth(nodule: Mapping[str, Any]) -> str:
    if told := nodule.get("growth"):
        return growth_in_words(Growth(**{**told, "limits": tuple(told["limits"])}))
    return nodule.get("no_growth") or ""


def _place(location: Mapping[str, Any]) -> Location:
    return Location(
        **{
            **location,
            "side": Side(location["side"]) if location.get("side") else None,
            "lobe": Lobe(location["lobe"]) if location.get("lobe") else None,
        }
    )


def _size(measurements: Mapping[str, Any], diameter_mm: float | None) -> str:
    """As measured from the mark, else as it is marked."""
    told = size_in_words(
        Measurements(
            long_axis_mm=measurements.get("long_axis_mm"),
            short_axis_mm=measurements.get("short_axis_mm"),
        )
    )
    return told or ("" if diameter_mm is None else f"marked as {diameter_mm:.0f} mm")
