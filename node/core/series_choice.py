"""Which CT series is analysed, and the sentence in the report that says why this one.

The sentence names no other series, so that a scout that comes later changes nothing, and no series
description, which is free text.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from m3net.nodule import Point
from m3net.uids import FrameKey, FrameOfReferenceUID, FrameReference, SeriesInstanceUID
from node.core.inputs import InstanceFacts, SeriesChoice
from node.core.slices import SeriesGeometry, geometry_of, slice_count
from sr_templates.spoken import counted

SeriesMap = Mapping[SeriesInstanceUID, Sequence[InstanceFacts]]
_FOR_ALL = "it has the thinnest slices, and of those the most"


def choose_series(series: SeriesMap, annotations: Sequence[InstanceFacts]) -> SeriesChoice:
    """The series to analyse, of those there are: one at least.

    In this order: most slices that annotations draw on; most slices that they refer to; in their
    frame of reference and covering most of their marks; thinnest; most slices; lowest UID.
    """
    marked = marked_frames(annotations)

    def stated(counts: Counter[SeriesInstanceUID], because: str) -> SeriesChoice:
        return _stated(series, _best(series, counts, marked), because, marked)

    drawn_on = _counted(series, annotations, drawn=True)
    if drawn_on:
        return stated(drawn_on, "the annotation draws on its slices")
    referred = _counted(series, annotations, drawn=False)
    if referred:
        return stated(referred, "the annotation refers to it")
    frames, centres = _frames(annotations), _centres(annotations)
    in_frame = {
        uid: geometry
        for uid, slices in series.items()
        if (geometry := geometry_of(slices)) and geometry.frame_of_reference_uid in frames
    }
    covered = Counter({uid: _covered(geometry, centres) for uid, geometry in in_frame.items()})
    if any(covered.values()):
        because = (
            "it lies in the annotation's frame of reference and covers its marks; among such "
            f"series {_FOR_ALL}"
        )
        return stated(covered, because)
    if in_frame:
        because = f"it lies in the annotation's frame of reference; among such series {_FOR_ALL}"
        return stated(Counter(list(in_frame)), because)
    because = f"of the study's CT series {_FOR_ALL}"
    return stated(Counter(list(series)), because)


def _counted(
    series: SeriesMap, annotations: Sequence[InstanceFacts], *, drawn: bool
) -> Counter[SeriesInstanceUID]:
    """Per series: how many of its slices the annotations draw on, or refer to."""
    wanted = _wanted(annotations, drawn=drawn)
    return +Counter(
        {
            uid: sum(_among(wanted, key) for facts in images for key in facts.frames())
            for uid, images in series.items()
        }
    )


def marked_frames(annotations: Sequence[InstanceFacts]) -> frozenset[FrameReference]:
    """What the annotations draw on, else what they refer to."""
    return frozenset(_wanted(annotations, drawn=True) or _wanted(annotations, drawn=False))


def _wanted(annotations: Sequence[InstanceFacts], *, drawn: bool) -> set[FrameReference]:
    wanted: set[FrameReference] = set()
    for facts in annotations:
        if facts.references is None:
            continue
        if drawn:
            wanted |= facts.references.marked
        else:
            wanted |= {FrameReference(uid) for uid in facts.references.sop_instance_uids}
    return wanted


def _among(wanted: set[FrameReference], key: FrameKey) -> bool:
    every = FrameReference(key.sop_instance_uid)
    return every in wanted or FrameReference(key.sop_instance_uid, key.frame) in wanted


def _best(
    series: SeriesMap, counts: Counter[SeriesInstanceUID], marked: frozenset[FrameReference]
) -> SeriesInstanceUID:
    def rank(uid: SeriesInstanceUID) -> tuple[int, float, int, str]:
        geometry = geometry_of(series[uid], marked=marked)
        spacing_mm = geometry.spacing_mm if geometry else None
        return (-counts[uid], spacing_mm or float("inf"), -slice_count(series[uid]), uid)

    return min(counts, key=rank)


def _stated(
    series: SeriesMap,
    uid: SeriesInstanceUID,
    because: str,
    marked: frozenset[FrameReference],
) -> SeriesChoice:
    slices = series[uid]
    first = min(slices, key=lambda facts: facts.sop_instance_uid)
    geometry = geometry_of(slices, marked=marked)
    spacing_mm = geometry.spacing_mm if geometry else None
    traits = [counted(slice_count(slices) if geometry is None else geometry.slices, "slice")]
    if spacing_mm is not None:
        traits.append(f"{spacing_mm:.2f} mm apart")
    if first.convolution_kernel:
        traits.append(f"kernel {first.convolution_kernel}")
    name = "The CT series" if first.series_number is None else f"CT series {first.series_number}"
    return SeriesChoice(
        series_instance_uid=uid,
        because=f"{name} ({', '.join(traits)}) was chosen because {because}.",
    )


def _frames(annotations: Sequence[InstanceFacts]) -> set[FrameOfReferenceUID | None]:
    return {facts.references.frame_of_reference_uid for facts in annotations if facts.references}


def _centres(annotations: Sequence[InstanceFacts]) -> list[Point]:
    return [
        centre
        for facts in annotations
        if facts.references
        for centre in facts.references.centres_mm
    ]


def _covered(geometry: SeriesGeometry, centres: Sequence[Point]) -> int:
    return sum(geometry.covers(centre) for centre in centres)
