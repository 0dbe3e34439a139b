"""What the results say of each nodule: as values, in words and in pictures."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from pydicom import Dataset

from m3net import attributes
from m3net.card import ModelCard
from m3net.panel import rated_alike
from m3net.prediction import Prediction
from m3net.uids import SOPInstanceUID
from node.core.assessment import Assessment, JudgedNodule
from node.core.drawn import NOMINAL_RADIUS_MM, count_in_viewers, draw, number_in_viewers
from node.core.limits import outside_learnt_sizes
from node.core.not_judged import count_passed_over
from node.core.pictured import Look, grounds_of, meaning_in_short, method_of
from node.core.results import NoduleResult
from node.core.wording import count_of, headline, summary_line
from sr_templates.band import Band
from sr_templates.findings import (
    Consistency,
    Lobe,
    Location,
    Measurements,
    NoduleFinding,
    Outcome,
    RatedAlike,
    RefusedFinding,
    ReportContent,
    Side,
)
from sr_templates.growth import growth_in_words
from sr_templates.identity import names_patient
from sr_templates.pictures.capture_view import CaptureFrame, Legend
from sr_templates.pictures.orientation import letters
from sr_templates.pictures.overlay import render_capture
from sr_templates.pictures.study_page import Listed, render_study
from sr_templates.probability import UNTRAINED, percent_text
from sr_templates.spoken import (
    image_in_words,
    lung_in_words,
    measured_in_words,
    rated_in_words,
)

_NUMBER = re.compile(r"(?:^|(?<! of)[\sA-Za-z_#])(\d{1,3}(?: \(\d+\)|, part \d+ of \d+)?)$")
"""The number that ends a tracking identifier, with the part that it is of."""

_EXACTLY = (
    "Probabilities are told in whole percents and lengths in whole millimetres; as computed they "
    "stand in the measurements of each nodule."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedNodule:
    """One judged nodule, ready for report and capture.

    judged      : what is told and drawn here
    name        : its tracking identifier, or "Nodule 3" where that one names the patient
    listed      : what its pictures are drawn from
    orientation : letters of the rows' and of the columns' direction
    key         : header of the slice on which the finding is drawn
    """

    judged: JudgedNodule
    name: str
    finding: NoduleFinding
    listed: Listed
    frames: Sequence[CaptureFrame]
    orientation: tuple[str, str]
    key: Dataset


def describe_nodule(
    judged: JudgedNodule,
    *,
    name: str,
    warnings: Sequence[str],
    card: ModelCard,
    band: Band | None,
    header_of: Callable[[SOPInstanceUID], Dataset],
    look: Look,
) -> DescribedNodule:
    """The nodule as it is drawn and told.

    warnings  : what its pictures say first: other nodules of the study that were not analysed
    band      : in which the probability is indeterminate; None: no call is made
    header_of : the header of a CT slice
    """
    nodule, volume, prediction = judged.nodule, judged.placed.volume, judged.prediction
    drawn = draw(nodule, volume, max_slices=look.max_slices)
    headers = {uid: header_of(uid) for uid in drawn.images()}
    key_header = headers[drawn.key_frame.sop_instance_uid]
    view = drawn.view(prediction, headers)
    notes = (
        *_extent_note(judged),
        *_blank_maps(prediction),
        *nodule.notes,
        *prediction.notes,
    )
    measurements, diameter_mm = _measurements(judged), _diameter_mm(judged)
    rated = _rated_alike(judged, card)
    location = Location(
        side=None if judged.site.side is None else Side(judged.site.side.value),
        lobe=None if judged.site.lobe is None else Lobe(judged.site.lobe.value),
        series_number=attributes.whole(key_header, "SeriesNumber"),
        image_number=number_in_viewers(key_header, drawn.key_frame),
        images=count_in_viewers(key_header, volume, drawn.key),
    )
    legend = Legend(
        tracking_id=name,
        probability=prediction.probability,
        band=band,
        diameter_mm=diameter_mm,
        model_name=card.name,
        model_version=card.version,
        trained=card.trained,
        measurements=measurements,
        location=location,
        limits=judged.limits,
        meaning=meaning_in_short(card),
        method=method_of(card),
        revision=look.revision,
        at=look.at,
        grounds=grounds_of(prediction.evidence, cut=bool(judged.measured.cut_by)),
        notes=(*warnings, *([_sentence(rated_in_words(rated))] if rated else ()), *notes),
    )
    finding = NoduleFinding(
        tracking_uid=nodule.tracking_uid,
        tracking_id=nodule.tracking_id,
        probability=prediction.probability,
        call=None if band is None else band.call(prediction.probability),
        diameter_mm=diameter_mm,
        region=drawn.region(key_header),
        comment=_comment(
            judged,
            card,
            band=band,
            measurements=measurements,
            location=location,
            rated=rated,
            notes=notes,
        ),
        measurements=measurements,
        location=location,
        limits=judged.limits,
        growth=judged.growth,
        earlier=judged.earlier,
        rated_alike=rated,
    )
    return DescribedNodule(
        judged=judged,
        name=name,
        finding=finding,
        listed=Listed(view=view, legend=legend),
        frames=render_capture(view, legend, look.maps),
        orientation=(letters(view.row_direction), letters(view.col_direction)),
        key=key_header,
    )


def names_without_patient(tracking_ids: Sequence[str], subject: Dataset) -> list[str]:
    """The nodules' names for pixels, logs and the diary, which must not name the patient.

    Some workstations put a patient's name into their tracking identifiers, and some names are words
    ("Lung", "Masse").  What stands for such an identifier keeps its number, and never has that of
    another nodule: the report's own items still say the identifier beside their probability.

    tracking_ids : of all nodules of the study, the judged ones before the refused
    """
    own = [match[1] if (match := _NUMBER.search(each)) else "" for each in tracking_ids]
    names = [None if names_patient(each, subject) else each for each in tracking_ids]
    taken = {name.casefold() for name in names if name is not None}
    for at, number in enumerate(own):
        name = f"Nodule {number}"
        free_to_say = number and name.casefold() not in taken and not names_patient(number, subject)
        if names[at] is None and free_to_say:
            names[at] = name
            taken.add(name.casefold())
    leading = {re.split(r"\D", number)[0] for number in own if number}
    free = (f"Nodule {n}" for n in count(1) if str(n) not in leading)
    unused = (name for name in free if name.casefold() not in taken)
    return [next(unused) if name is None else name for name in names]


def names_of(assessment: Assessment, subject: Dataset) -> tuple[list[str], list[str]]:
    """What the judged and the refused nodules are called (`names_without_patient`)."""
    judged = [each.nodule.tracking_id for each in assessment.judged]
    refused = [each.tracking_id for each in assessment.refused]
    names = names_without_patient([*judged, *refused], subject)
    return names[: len(judged)], names[len(judged) :]


def report_content(
    assessment: Assessment,
    described: Sequence[DescribedNodule],
    card: ModelCard,
    subject: Dataset,
    *,
    revision: str = "",
) -> ReportContent:
    """The whole report, before it is DICOM.

    revision : of one that replaces another, which one it is and which it replaces
    """
    _, names = names_of(assessment, subject)
    refused = [(name, each.reason) for name, each in zip(names, assessment.refused, strict=True)]
    return ReportContent(
        outcome=assessment.outcome,
        headline=headline(
            assessment.outcome,
            trained=card.trained,
            probabilities=[(each.name, each.finding.probability) for each in described],
            doubts=[
                (each.name, each.judged.doubt)
                for each in described
                if each.judged.doubt is not None
            ],
            refused=refused,
            reasons=assessment.reasons,
            unread=assessment.unread,
            passed_over=count_passed_over(assessment.passed_over),
            in_short=card.in_short,
        ),
        revision=revision,
        summary=[
            *(summary_line(each.name, each.finding, trained=card.trained) for each in described),
            *(f"{name}: not analysed." for name, _ in refused),
        ]
        if len(described) + len(refused) > 1
        else [],
        nodules=[each.finding for each in described],
        refused=[
            RefusedFinding(
                tracking_uid=each.tracking_uid, tracking_id=each.tracking_id, reason=each.reason
            )
            for each in assessment.refused
        ],
        remarks=(
            *assessment.unread,
            *assessment.remarks,
            *((_EXACTLY, _sentence(card.meaning)) if described else ()),
        ),
    )


def study_pages(
    assessment: Assessment, described: Sequence[DescribedNodule], subject: Dataset
) -> list[CaptureFrame]:
    """The pages that list all nodules, where there are several; none without a judged one."""
    if not described or len(described) + len(assessment.refused) < 2:
        return []
    _, refused = names_of(assessment, subject)
    return render_study(
        [nodule.listed for nodule in described],
        not_analysed=refused,
        warnings=omissions(assessment),
    )


def nodule_rows(
    assessment: Assessment, described: Sequence[DescribedNodule], subject: Dataset
) -> list[NoduleResult]:
    """One row per marked nodule, first the judged, then the refused."""
    rows = []
    for each in described:
        judged = each.judged
        z, y, x = (float(value) for value in judged.placed.centre_index)
        rows.append(
            NoduleResult(
                tracking_uid=judged.nodule.tracking_uid,
                tracking_id=each.name,
                centre_mm=judged.nodule.centre_mm,
                centre_index=(z, y, x),
                diameter_mm=each.finding.diameter_mm,
                probability=judged.prediction.probability,
                reason=None,
                measurements=each.finding.measurements,
                location=each.finding.location,
                limits=judged.limits,
                growth=judged.growth,
                no_growth=judged.no_growth,
                rated_alike=each.finding.rated_alike,
            )
        )
    _, names = names_of(assessment, subject)
    for name, refused in zip(names, assessment.refused, strict=True):
        rows.append(
            NoduleResult(
                tracking_uid=refused.tracking_uid,
                tracking_id=name,
                centre_mm=None,
                centre_index=None,
                diameter_mm=None,
                probability=None,
                reason=refused.reason,
            )
        )
    return rows


def omissions(assessment: Assessment) -> tuple[str, ...]:
    """What every picture of the study says if something of it was not analysed.

    Some viewers show the pictures and the drawn nodules, and nothing of those that were refused.
    """
    if assessment.outcome is not Outcome.PARTLY_ANALYSED:
        return ()
    counted = count_of(len(assessment.judged), len(assessment.refused))
    unread = " Not every annotation was read." if assessment.unread else ""
    return (f"{counted}{unread} The report says why.",)


def _measurements(judged: JudgedNodule) -> Measurements:
    measured = judged.measured
    consistency = measured.consistency
    return Measurements(
        long_axis_mm=measured.long_axis_mm,
        short_axis_mm=measured.short_axis_mm,
        volume_mm3=measured.volume_mm3,
        mean_hu=measured.mean_hu,
        consistency=None if consistency is None else Consistency(consistency.value),
        contains_air=measured.contains_air,
    )


def _diameter_mm(judged: JudgedNodule) -> float | None:
    """As it is marked; not of an outline that is cut off, whose limits say how long it is at least.

    A circle, or a diameter alone, says how large the nodule is, wherever the image ends.
    """
    outlined = judged.nodule.mask is not None
    return None if outlined and judged.measured.cut_by else judged.nodule.diameter_mm


def _extent_note(judged: JudgedNodule) -> tuple[str, ...]:
    if judged.nodule.is_bare:
        return (
            "the annotation gives a point without extent, drawn as a dashed circle of nominal "
            f"radius {NOMINAL_RADIUS_MM:g} mm",
        )
    return ()


def _blank_maps(prediction: Prediction) -> tuple[str, ...]:
    """A map shows what speaks for malignancy; it is blank where nothing does, or was shown."""
    maps = prediction.heat_maps
    unseen = [scale.value for scale, heat in maps.items() if not heat.shown.any()]
    silent = [
        scale.value for scale, heat in maps.items() if heat.shown.any() and not heat.values.any()
    ]
    notes = []
    if silent:
        notes.append(f"no heat in {' and '.join(silent)}: nothing shown there spoke for malignancy")
    if unseen:
        notes.append(f"nothing was shown in {' and '.join(unseen)}: its voxels miss so thin a mark")
    return tuple(notes)


def _rated_alike(judged: JudgedNodule, card: ModelCard) -> RatedAlike | None:
    """Not of untrained weights, nor of what is unlike the nodules that were counted.

    Those were seen whole, lay in lung for certain, and were of sizes that were learnt.
    """
    unlike = (
        judged.doubt is not None
        or judged.measured.cut_by
        or outside_learnt_sizes(judged.measured, card) is not None
    )
    if unlike or not card.trained:
        return None
    rated = rated_alike(card, judged.nodule, judged.prediction.probability)
    return (
        None if rated is None else RatedAlike(low=rated.low, middle=rated.middle, high=rated.high)
    )


def _comment(
    judged: JudgedNodule,
    card: ModelCard,
    *,
    band: Band | None,
    measurements: Measurements,
    location: Location,
    rated: RatedAlike | None,
    notes: Sequence[str],
) -> str:
    """The finding in one line: the number, where and how large, its limits, what else is noted."""
    probability = judged.prediction.probability
    first = (
        f"Probability of malignancy {percent_text(probability)}" if card.trained else UNTRAINED,
        "" if band is None else band.in_words(probability),
        lung_in_words(location),
        image_in_words(location),
        measured_in_words(measurements),
    )
    sentences = [
        "; ".join(part for part in first if part),
        *([_sentence(rated_in_words(rated)).rstrip(".")] if rated else ()),
        *([f"Limits: {'; '.join(judged.limits)}"] if judged.limits else ()),
        *_growth_in_words(judged),
        *(_sentence(note).rstrip(".") for note in notes),
    ]
    return f"{'. '.join(sentences)}."


def _growth_in_words(judged: JudgedNodule) -> tuple[str, ...]:
    """Nothing where there is no earlier CT: that nothing is said is not "no growth"."""
    if judged.growth is None:
        return () if judged.no_growth is None else (_sentence(judged.no_growth).rstrip("."),)
    accession = "" if judged.earlier is None else judged.earlier.accession
    return (growth_in_words(judged.growth, accession=accession),)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
