"""Which slices of one series were taken together.

A series may hold the chest twice: two phases, two passes half a step aside, a second kernel, a
derived image among the others.  As one heap they would make a volume that no patient has.

Slices are told apart by what they say of themselves (`Traits`), but only where that matters: a scan
in steps numbers its blocks, or even its slices, and still is one.  So a trait parts the slices only
if its values take turns along the normal or stand at one place; and parts that continue one another
at the same step, without a new gap, are put together again.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.attributes import number, text, texts, whole
from m3net.ct.stack import JITTER_MM, IrregularStack, fit_stack

PAUSE_S = 1.0
"""Slices whose times are further apart were not taken in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a slice says of how it was taken; None where it says nothing readable.

    stack      : of a frame of a multi-frame object: what tells the object's volumes apart
    taken_at_s : seconds since 1970, of the acquisition, else of the image (0008,0033)
    """

    stack: str | None = None
    acquisition_number: int | None = None
    temporal_position: int | None = None
    cardiac_phase: float | None = None
    image_type: tuple[str, ...] | None = None
    convolution_kernel: str | None = None
    slice_thickness_mm: float | None = None
    kvp: float | None = None
    taken_at_s: float | None = None
    instance_number: int | None = None


NO_TRAITS = Traits()


def read_traits(dataset: Dataset) -> Traits:
    """What the slice's header says of how it was taken."""
    return Traits(
        stack=text(dataset, "StackID") or None,
        acquisition_number=whole(dataset, "AcquisitionNumber"),
        temporal_position=whole(dataset, "TemporalPositionIdentifier"),
        cardiac_phase=number(dataset, "NominalPercentageOfCardiacPhase"),
        image_type=tuple(value.upper() for value in texts(dataset, "ImageType")) or None,
        convolution_kernel=text(dataset, "ConvolutionKernel") or None,
        slice_thickness_mm=number(dataset, "SliceThickness"),
        kvp=number(dataset, "KVP"),
        taken_at_s=_taken_at_s(dataset),
        instance_number=whole(dataset, "InstanceNumber"),
    )


def tell_apart(
    positions_mm: NDArray[np.float64], normal: NDArray[np.float64], traits: Sequence[Traits]
) -> list[list[int]]:
    """The slices, by index, as the heaps in which they were taken; the largest heap first.

    positions_mm : (N, 3) LPS
    """
    heights = positions_mm @ normal
    order = np.argsort(heights, kind="stable")
    labels: dict[int, list[Hashable]] = {index: [] for index in range(len(traits))}
    for label_of in _LABELS:
        label = label_of(heights, order, traits)
        if _take_turns(heights, order, label):
            for index in labels:
                labels[index].append(label[index])
    heaps: dict[tuple[Hashable, ...], list[int]] = {}
    for index in order.tolist():
        heaps.setdefault(tuple(labels[index]), []).append(index)
    return _joined(positions_mm, normal, list(heaps.values()))


def told_by(one: Sequence[Traits], other: Sequence[Traits]) -> str:
    """By what two heaps differ, for people."""
    for field, name in _NAMES.items():
        first = {getattr(traits, field) for traits in one} - {None}
        second = {getattr(traits, field) for traits in other} - {None}
        if first and second and first.isdisjoint(second):
            return name
    return "place"


_NAMES = {
    "stack": "stack, phase or energy",
    "acquisition_number": "Acquisition Number",
    "temporal_position": "Temporal Position Identifier",
    "cardiac_phase": "cardiac phase",
    "image_type": "Image Type",
    "convolution_kernel": "Convolution Kernel",
    "slice_thickness_mm": "Slice Thickness",
    "kvp": "KVP",
    "taken_at_s": "time of acquisition",
    "instance_number": "Instance Number",
}
assert set(_NAMES) == {field.name for field in fields(Traits)}  # noqa: S101

Labels = Sequence[Hashable]


def _by_value(name: str) -> Callable[..., Labels]:
    def label(_: NDArray[np.float64], __: NDArray[np.int64], traits: Sequence[Traits]) -> Labels:
        return [getattr(each, name) for each in traits]

    return label


def _by_number(
    heights: NDArray[np.float64], _: NDArray[np.int64], traits: Sequence[Traits]
) -> Labels:
    return _sweeps(heights, [each.acquisition_number for each in traits])


def _by_time(
    heights: NDArray[np.float64], _: NDArray[np.int64], traits: Sequence[Traits]
) -> Labels:
    times = [each.taken_at_s for each in traits]
    known = sorted({time for time in times if time is not None})
    paused = np.diff(known, prepend=known[:1]) > PAUSE_S
    blocks = dict(zip(known, np.cumsum(paused).tolist(), strict=True))
    return _sweeps(heights, [None if time is None else blocks[time] for time in times])


def _by_instance(
    heights: NDArray[np.float64], order: NDArray[np.int64], traits: Sequence[Traits]
) -> Labels:
    """Sweeps of instance numbers, which many a program draws at random: only if few and even."""
    nothing: Labels = [None] * len(traits)
    numbers = [each.instance_number for each in traits]
    if None in numbers or np.any(np.diff(heights[order]) <= JITTER_MM):
        return nothing
    sweeps = _sweeps(heights, numbers)
    gaps = [
        np.diff(np.sort(heights[[s == sweep for s in sweeps]])) for sweep in dict.fromkeys(sweeps)
    ]
    if len(gaps) > _MOST_PASSES or min(map(len, gaps)) < _LEAST_STEPS:
        return nothing
    steps = [float(np.median(gap)) for gap in gaps]
    even = all(np.ptp(gap) <= 2 * JITTER_MM for gap in gaps)
    return sweeps if even and np.ptp(steps) <= JITTER_MM else nothing


_MOST_PASSES = 4
_LEAST_STEPS = 3

_LABELS: Sequence[Callable[..., Labels]] = (
    _by_number,
    *(
        _by_value(name)
        for name in (
            "stack",
            "temporal_position",
            "cardiac_phase",
            "image_type",
            "convolution_kernel",
            "slice_thickness_mm",
            "kvp",
        )
    ),
    _by_time,
    _by_instance,
)


def _sweeps(heights: NDArray[np.float64], values: Sequence[float | None]) -> Labels:
    """The first value of the sweep along the normal to which each value belongs.

    A value whose slices stand within what the sweep has covered begins the next sweep.  By their
    middle: the blocks of a scan in steps may overlap by a slice or two.
    """
    slices_of: dict[float, list[int]] = {}
    for index, value in enumerate(values):
        if value is not None:
            slices_of.setdefault(value, []).append(index)
    low, high = -np.inf, np.inf
    sweeps: dict[float, float] = {}
    for value in sorted(slices_of):
        own = heights[slices_of[value]]
        if low - JITTER_MM <= np.median(own) <= high + JITTER_MM:
            sweep, low, high = value, np.inf, -np.inf
        low, high = min(low, float(own.min())), max(high, float(own.max()))
        sweeps[value] = sweep
    return [None if value is None else sweeps[value] for value in values]


def _take_turns(heights: NDArray[np.float64], order: NDArray[np.int64], labels: Labels) -> bool:
    """Whether labels come back along the normal after another one, or two stand at one place."""
    known = [int(index) for index in order if labels[index] is not None]
    runs = [label for label, _ in groupby(labels[index] for index in known)]
    if len(runs) > len(set(runs)):
        return True
    return any(
        labels[one] != labels[other] and heights[other] - heights[one] <= JITTER_MM
        for one, other in pairwise(known)
    )


def _joined(
    positions_mm: NDArray[np.float64], normal: NDArray[np.float64], heaps: list[list[int]]
) -> list[list[int]]:
    """Heaps that continue one another put together, as long as there are any."""
    heaps = sorted(heaps, key=lambda heap: (-len(heap), heap[0]))
    joined: list[list[int]] = []
    for heap in heaps:
        for place, larger in enumerate(joined):
            if _continues(positions_mm, normal, larger, heap):
                joined[place] = larger + heap
                break
        else:
            joined.append(heap)
    return joined if len(joined) == len(heaps) else _joined(positions_mm, normal, joined)


def _continues(
    positions_mm: NDArray[np.float64],
    normal: NDArray[np.float64],
    larger: Sequence[int],
    heap: Sequence[int],
) -> bool:
    """Whether the two make one stack at the larger one's step, with no gap that neither had."""
    whole_, own, other = (
        _step_and_gaps(positions_mm[list(indices)], normal)
        for indices in ((*larger, *heap), larger, heap)
    )
    if whole_ is None or own is None:
        return False
    same_step = abs(whole_[0] - own[0]) <= JITTER_MM
    return same_step and whole_[1] <= own[1] + (other[1] if other else 0)


def _step_and_gaps(
    positions_mm: NDArray[np.float64], normal: NDArray[np.float64]
) -> tuple[float, int] | None:
    """Step along the normal and number of absent slices; None if it is no stack."""
    if len(positions_mm) < 2 or np.diff(np.sort(positions_mm @ normal)).min() <= JITTER_MM:
        return None
    try:
        stack = fit_stack(positions_mm, normal)
    except IrregularStack:
        return None
    return float(stack.step_mm @ normal), int(stack.numbers.max()) + 1 - len(positions_mm)


def _taken_at_s(dataset: Dataset) -> float | None:
    moment = _moment(text(dataset, "AcquisitionDateTime"))
    if moment is not None:
        return moment
    for date, time in (("AcquisitionDate", "AcquisitionTime"), ("ContentDate", "ContentTime")):
        clock = text(dataset, time)
        if clock:
            moment = _moment((text(dataset, date) or "19700101") + clock)
            if moment is not None:
                return moment
    return None


def _moment(written: str) -> float | None:
    """A DT, or DA and TM in one, as seconds; its offset from UTC plays no part."""
    digits, _, fraction = re.split(r"[+-]", written)[0].partition(".")
    if not digits.isdigit() or len(digits) not in (10, 12, 14):
        return None
    try:
        moment = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    parts = fraction[:6]
    micro = int(parts.ljust(6, "0")) if parts.isdigit() else 0
    return (moment - datetime(1970, 1, 1)) / timedelta(seconds=1) + micro / 1e6
