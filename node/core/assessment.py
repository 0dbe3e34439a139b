"""From pixels to probabilities: which nodules were judged, which were not, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from m3net.annotations.types import PassedOver, References
from m3net.borders import goes_beyond
from m3net.errors import NoduleUnusable, StudyError
from m3net.lungs import find_lungs
from m3net.measurements import NOT_MEASURED, Measured, measure
from m3net.nodule import Nodule, RefusedNodule, Site
from m3net.placed import PlacedNodule
from m3net.prediction import Classifier, Prediction
from m3net.surroundings import check_surroundings
from m3net.uids import SOPInstanceUID
from m3net.unlearnt import check_learnt
from m3net.volume import CTVolume, why_not_whole
from node.core.inputs import StudyInputs
from node.core.limits import limits_of
from node.core.located import NOWHERE, locate
from node.core.marks import read_marks, slice_thickness_mm
from node.core.not_judged import name_passed_over
from sr_templates.findings import EarlierImage, Growth, Outcome
from sr_templates.spoken import counted

_MOST_SENTENCES = 20
"""On what annotations do not draw; each is about one mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedNodule:
    """A nodule in its CT, what the model says of it, and what was measured.

    doubt : why it may be none in the lung; None if nothing speaks against it
    site  : side and lobe, as far as they are sure
    limits: what its number must be read with
    growth, earlier: since an earlier CT, and on what that rests; None: not known
    no_growth: why it is not known although there is an earlier CT; None where there is none
    """

    placed: PlacedNodule
    prediction: Prediction
    doubt: str | None = None
    measured: Measured = NOT_MEASURED
    site: Site = NOWHERE
    limits: tuple[str, ...] = ()
    growth: Growth | None = None
    earlier: EarlierImage | None = None
    no_growth: str | None = None

    @property
    def nodule(self) -> Nodule:
        """As it was marked."""
        return self.placed.nodule


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """How the analysis of a study ended.

    judged  : the highest probability first; with untrained weights as they were marked
    reasons : of the study as a whole; each refused nodule has its own
    unread  : one sentence per annotation object that was refused or cannot be read yet
    remarks : further sentences for the report
    passed_over : what annotations draw and what was not read as a nodule
    """

    outcome: Outcome
    judged: Sequence[JudgedNodule] = ()
    refused: Sequence[RefusedNodule] = ()
    reasons: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()


def assess(
    inputs: StudyInputs,
    *,
    paths: Mapping[SOPInstanceUID, Path],
    classifier: Classifier,
    judge_unlabelled: bool = False,
    assumed_character_set: str | None = None,
    max_diameter_mm: float = 100.0,
    max_nodules: int = 500,
    on_nodule: Callable[[int], None] | None = None,
) -> Assessment:
    """Every marked nodule is either judged or refused with its one reason.

    paths                 : the file of each instance of `inputs`
    judge_unlabelled      : bidirectional and arrow marks without a finding count as nodules
    assumed_character_set : of annotations that declare none
    max_diameter_mm       : what reaches further is no nodule
    max_nodules           : a study in which more is marked is not analysed

    Raises StudyError if the study as a whole cannot be analysed.
    """
    marks = read_marks(
        inputs,
        paths=paths,
        judge_unlabelled=judge_unlabelled,
        assumed_character_set=assumed_character_set,
    )
    inputs, volume, found = marks.inputs, marks.volume, marks.found
    unread = (*inputs.unread, *marks.unread)
    marked = len(found.nodules) + len(found.refused)
    if marked > max_nodules:
        raise StudyError(
            f"the annotations mark {marked} nodules, and at most {max_nodules} are judged in a "
            "study; look whether they are meant, and raise annotations.max_nodules if so"
        )
    whole, incomplete = _with_context(found.nodules, volume, inputs, classifier)
    judgeable, others = _judgeable(
        whole, volume, max_diameter_mm, thickness_mm=slice_thickness_mm(inputs)
    )
    refused = (*found.refused, *incomplete, *others)
    nodules = [placed.nodule for placed, _ in judgeable]
    predictions = classifier.classify(volume, nodules, on_nodule=on_nodule) if nodules else []
    return Assessment(
        outcome=_outcome(judged=len(nodules), failed=len(refused) + len(unread)),
        judged=_by_risk(_judged(judgeable, predictions, volume, inputs, classifier), classifier),
        refused=refused,
        unread=unread,
        remarks=(
            *_choice(inputs),
            *inputs.remarks,
            *_discord(inputs),
            _completeness(inputs, volume),
            *volume.notes,
            *name_passed_over(found.passed_over),
            *_some_of(found.ignored),
        ),
        passed_over=found.passed_over,
    )


def _with_context(
    nodules: Sequence[Nodule], volume: CTVolume, inputs: StudyInputs, classifier: Classifier
) -> tuple[list[Nodule], list[RefusedNodule]]:
    """Part the nodules by whether the slices that the model needs are proven to be all there."""
    whole: list[Nodule] = []
    incomplete: list[RefusedNodule] = []
    for nodule in nodules:
        needed = classifier.box_needed(volume, nodule).slices
        reason = (
            _left_out(nodule, volume, inputs)
            or why_not_whole(volume, needed, nodule.centre_mm)
            or _cut_off(nodule, volume, inputs, needed)
        )
        if reason is None:
            whole.append(nodule)
        else:
            incomplete.append(_refusal(nodule, reason))
    return whole, incomplete


def _judgeable(
    nodules: Sequence[Nodule],
    volume: CTVolume,
    max_diameter_mm: float,
    *,
    thickness_mm: float | None,
) -> tuple[list[tuple[PlacedNodule, str | None]], list[RefusedNodule]]:
    """Part the nodules by whether one in the lung is there, of a kind that the model can judge.

    Those that are judged come with the doubt.
    """
    kept: list[tuple[PlacedNodule, str | None]] = []
    refused: list[RefusedNodule] = []
    for nodule in nodules:
        placed = PlacedNodule(nodule=nodule, volume=volume)
        try:
            doubt = check_surroundings(placed, max_diameter_mm=max_diameter_mm)
            check_learnt(placed, thickness_mm=thickness_mm)
        except NoduleUnusable as reason:
            refused.append(_refusal(nodule, str(reason)))
        else:
            kept.append((placed, doubt))
    return kept, refused


def _judged(
    judgeable: Sequence[tuple[PlacedNodule, str | None]],
    predictions: Sequence[Prediction],
    volume: CTVolume,
    inputs: StudyInputs,
    classifier: Classifier,
) -> list[JudgedNodule]:
    """What the model says of each, with what was measured."""
    lungs = find_lungs(volume) if judgeable else None
    thickness_mm = slice_thickness_mm(inputs)
    judged = []
    for (placed, doubt), prediction in zip(judgeable, predictions, strict=True):
        measured = measure(placed, thickness_mm=thickness_mm)
        site, contradiction = locate(placed.nodule, lungs)
        limits = limits_of(
            placed,
            measured,
            card=classifier.card,
            doubt=doubt,
            needed=classifier.box_needed(volume, placed.nodule),
            thickness_mm=thickness_mm,
            not_received=len(inputs.missing),
        )
        judged.append(
            JudgedNodule(
                placed=placed,
                prediction=prediction,
                doubt=doubt,
                measured=measured,
                site=site,
                limits=(*limits, *((contradiction,) if contradiction else ())),
            )
        )
    return judged


def _by_risk(judged: Sequence[JudgedNodule], classifier: Classifier) -> tuple[JudgedNodule, ...]:
    if not classifier.card.trained:
        return tuple(judged)
    return tuple(sorted(judged, key=lambda each: -each.prediction.probability))


def _refusal(nodule: Nodule, reason: str) -> RefusedNodule:
    return RefusedNodule(
        tracking_uid=nodule.tracking_uid,
        tracking_id=nodule.tracking_id,
        sources=nodule.sources,
        reason=reason,
    )


def _annotations_of(nodule: Nodule, inputs: StudyInputs) -> list[References]:
    """What the annotations that mark the nodule refer to."""
    sources = {source.sop_instance_uid for source in nodule.sources}
    return [
        facts.references
        for facts in inputs.annotations
        if facts.sop_instance_uid in sources and facts.references is not None
    ]


def _left_out(nodule: Nodule, volume: CTVolume, inputs: StudyInputs) -> str | None:
    """The reason, if the annotation draws on slices of the series that are not in the volume.

    A series may hold two acquisitions, or images that belong to no volume; a nodule that is drawn
    on what was left out must not be judged in the pixels of what stands there instead.
    """
    drawn_on = [image for each in _annotations_of(nodule, inputs) for image in each.marked]
    reasons = (
        reason
        for key, reason in sorted(volume.left_out.items())
        if any(image.names(key) for image in drawn_on)
    )
    return next(reasons, None)


def _cut_off(nodule: Nodule, volume: CTVolume, inputs: StudyInputs, needed: range) -> str | None:
    """The reason, if slices next to the nodule may lie beyond the end of what was received.

    An instance that the nodule's own annotation refers to, or that a source counts, that never came
    and that no gap inside the scan explains can only lie beyond its ends.
    """
    wanted = (each.sop_instance_uids for each in _annotations_of(nodule, inputs))
    absent = len(inputs.missing & frozenset().union(*wanted))
    there = inputs.at_source
    if there and there.absent > max(absent, len(volume.missing)) and goes_beyond(volume, needed):
        return (
            f"{_not_received(there.absent, 'image', f'of the series that {there.source} holds')}, "
            "and the slices about the nodule reach the end of what was; resend the series"
        )
    if absent <= len(volume.missing) or not goes_beyond(volume, needed):
        return None
    return (
        f"{_not_received(absent, 'instance', _REFERRED_TO)}, and the slices about the nodule reach "
        "the end of what was; resend the series"
    )


_REFERRED_TO = "that the annotation refers to"


def _not_received(number: int, noun: str, which: str) -> str:
    return f"{counted(number, noun)} {which} {'was' if number == 1 else 'were'} not received"


def _some_of(sentences: Sequence[str]) -> tuple[str, ...]:
    """A person reads some of thousands of sentences, and how many there were."""
    rest = len(sentences[_MOST_SENTENCES:])
    more = f"{counted(rest, 'more such remark')}."
    return (*sentences[:_MOST_SENTENCES], *((more,) if rest else ()))


def _outcome(*, judged: int, failed: int) -> Outcome:
    if judged:
        return Outcome.PARTLY_ANALYSED if failed else Outcome.ANALYSED
    return Outcome.NOT_ANALYSED if failed else Outcome.NOTHING_MARKED


def _choice(inputs: StudyInputs) -> tuple[str, ...]:
    return () if inputs.series is None else (inputs.series.because,)


def _discord(inputs: StudyInputs) -> tuple[str, ...]:
    """Slices that do not name patient and study alike, such as a correction that came by halves."""
    if len({facts.identity_digest for facts in inputs.ct}) <= 1:
        return ()
    return (
        "The CT slices do not all name patient and study alike; what one of them says was copied. "
        "Send the whole series again.",
    )


def _completeness(inputs: StudyInputs, volume: CTVolume) -> str:
    """What arrived, against what the series' own geometry and the annotation ask for."""
    received = sum(key is not None for key in volume.frames)
    asked = (
        _not_received(len(inputs.missing), "instance", _REFERRED_TO)
        if inputs.missing
        else "every instance that the annotation refers to was received"
    )
    there = inputs.at_source
    proven = (
        f"; images of the series: {there.here} of {there.there} at {there.source}" if there else ""
    )
    return (
        f"{received} of {volume.shape[0]} slices of the CT series were received; {asked}{proven}."
    )
