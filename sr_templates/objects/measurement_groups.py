"""The measurement groups of a report: one nodule each (PS3.16 TID 1410, TID 1501)."""

from collections.abc import Sequence

import highdicom as hd
import numpy as np
from highdicom.sr import RelationshipTypeValues as Relation
from pydicom import Dataset
from pydicom.sr.coding import Code

from sr_templates import codes
from sr_templates.band import Call
from sr_templates.findings import (
    Algorithm,
    Circle,
    Consistency,
    Lobe,
    Location,
    NoduleFinding,
    Polyline,
    RatedAlike,
    RefusedFinding,
    Side,
)
from sr_templates.probability import UNTRAINED, percent, percent_text

Group = (
    hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations
    | hd.sr.MeasurementsAndQualitativeEvaluations
)


def nodule_group(nodule: NoduleFinding, algorithm: Algorithm, pictures: Sequence[Dataset]) -> Group:
    """TID 1410 for one nodule, extended by a label, its visual explanation and a line."""
    if nodule.call is not None and not algorithm.trained:
        raise ValueError(f"{nodule.tracking_uid}: untrained weights make no call")
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(nodule.tracking_id, nodule.tracking_uid),
        referenced_region=_region(nodule.region),
        finding_type=codes.NODULE,
        finding_sites=[_site(nodule.location)],
        measurements=[
            _probability(nodule, algorithm),
            *_rated_alike(nodule.rated_alike),
            *_sizes(nodule),
            *_growth(nodule),
        ],
        qualitative_evaluations=_evaluations(nodule),
    )
    group[0].ContentSequence.extend(
        [
            text(codes.SHORT_LABEL, _label(nodule, algorithm), Relation.HAS_CONCEPT_MOD),
            *(image(codes.VISUAL_EXPLANATION, picture) for picture in pictures),
            text(codes.COMMENT, nodule.comment),
        ]
    )
    return group


def _probability(nodule: NoduleFinding, algorithm: Algorithm) -> hd.sr.Measurement:
    return hd.sr.Measurement(
        name=codes.PROBABILITY_OF_CANCER if algorithm.trained else codes.UNTRAINED_OUTPUT,
        value=percent(nodule.probability),
        unit=codes.PERCENT,
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=algorithm.name,
            version=algorithm.version,
            manufacturer=algorithm.manufacturer,
            parameters=algorithm.parameters,
            family=codes.ARTIFICIAL_INTELLIGENCE,
        ),
    )


def _rated_alike(rated: RatedAlike | None) -> list[hd.sr.Measurement]:
    """Both ends of what nine in ten panels of radiologists rated nodules of a like probability."""
    if rated is None:
        return []
    return [
        hd.sr.Measurement(name=name, value=round(value, 2), unit=codes.SCORE)
        for name, value in ((codes.RATED_FROM, rated.low), (codes.RATED_TO, rated.high))
    ]


def _sizes(nodule: NoduleFinding) -> list[hd.sr.Measurement]:
    """What was measured from the mark; a diameter alone as the annotation gives it (TID 1419)."""
    of = nodule.measurements
    found = [
        hd.sr.Measurement(
            name=name,
            value=round(value, digits),
            unit=unit,
            derivation=derivation,
            method=codes.FROM_MARK,
        )
        for name, value, digits, unit, derivation in (
            (codes.LONG_AXIS, of.long_axis_mm, 1, codes.MILLIMETER, None),
            (codes.SHORT_AXIS, of.short_axis_mm, 1, codes.MILLIMETER, None),
            (codes.DIAMETER, of.mean_axis_mm, 1, codes.MILLIMETER, codes.MEAN),
            (codes.VOLUME, of.volume_mm3, None, codes.CUBIC_MILLIMETER, None),
            (codes.ATTENUATION, of.mean_hu, None, codes.HOUNSFIELD_UNIT, codes.MEAN),
        )
        if value is not None
    ]
    if of.long_axis_mm is None and nodule.diameter_mm is not None:
        stated = hd.sr.Measurement(
            name=codes.DIAMETER,
            value=round(nodule.diameter_mm, 1),
            unit=codes.MILLIMETER,
            method=codes.AS_ANNOTATED,
        )
        found.insert(0, stated)
    return found


def _growth(nodule: NoduleFinding) -> list[hd.sr.Measurement]:
    """How it has changed, inferred from a slice of the earlier CT too (TID 320)."""
    if nodule.growth is None or nodule.earlier is None:
        return []
    image = nodule.earlier.image
    source = hd.sr.SourceImageForMeasurement(
        image.sop_class_uid,
        image.sop_instance_uid,
        None if image.frame_number is None else [image.frame_number],
    )
    return [
        hd.sr.Measurement(
            name=name,
            value=round(value, 1),
            unit=unit,
            method=codes.FROM_MARK,
            referenced_images=[source],
        )
        for name, value, unit in (
            (codes.VOLUME_CHANGE, nodule.growth.change_percent, codes.PERCENT),
            (codes.VOLUME_DOUBLING_TIME, nodule.growth.doubling_days, codes.DAY),
        )
        if value is not None
    ]


def _evaluations(nodule: NoduleFinding) -> list[hd.sr.QualitativeEvaluation]:
    found = []
    if nodule.call is Call.ABOVE:
        found.append(hd.sr.QualitativeEvaluation(codes.MALIGNANCY, codes.MALIGNANT))
    if nodule.measurements.consistency is not None:
        texture = _TEXTURES[nodule.measurements.consistency]
        found.append(hd.sr.QualitativeEvaluation(codes.TEXTURE, texture))
    return found


def _site(location: Location) -> hd.sr.FindingSite:
    """The lung, or its lobe if it is known, with the side (CID 244)."""
    return hd.sr.FindingSite(
        anatomic_location=codes.LUNG if location.lobe is None else _LOBES[location.lobe],
        laterality=None if location.side is None else _SIDES[location.side],
    )


_TEXTURES = {
    Consistency.SOLID: codes.SOLID,
    Consistency.PART_SOLID: codes.PART_SOLID,
    Consistency.GROUND_GLASS: codes.GROUND_GLASS,
}
_LOBES = {
    Lobe.UPPER: codes.UPPER_LOBE,
    Lobe.MIDDLE: codes.MIDDLE_LOBE,
    Lobe.LOWER: codes.LOWER_LOBE,
}
_SIDES = {Side.LEFT: codes.LEFT, Side.RIGHT: codes.RIGHT}


def _label(nodule: NoduleFinding, algorithm: Algorithm) -> str:
    """Which nodule, and its number: what dwv writes beside the outline."""
    said = percent_text(nodule.probability) if algorithm.trained else UNTRAINED
    return f"{nodule.tracking_id}: {said}"


def refused_nodule(refused: RefusedFinding) -> hd.sr.CodeContentItem:
    """A marked nodule that was not analysed, and why; a row of Qualitative Evaluations."""
    item = hd.sr.CodeContentItem(
        codes.FINDING, codes.NOT_EVALUATED, relationship_type=Relation.CONTAINS
    )
    item.ContentSequence = hd.sr.ContentSequence(
        [
            text(codes.TRACKING_ID, refused.tracking_id, Relation.HAS_PROPERTIES),
            hd.sr.UIDRefContentItem(
                codes.TRACKING_UID, refused.tracking_uid, relationship_type=Relation.HAS_PROPERTIES
            ),
            text(codes.COMMENT, f"Not analysed: {refused.reason}", Relation.HAS_PROPERTIES),
        ]
    )
    return item


def not_evaluated_group(name: str, tracking_uid: str, sentence: str) -> Group:
    """TID 1501 that asserts neither a nodule nor its absence, and says why."""
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(name, tracking_uid),
        finding_type=codes.NOT_EVALUATED,
    )
    group[0].ContentSequence.append(text(codes.COMMENT, sentence))
    return group


def _tracking(identifier: str, uid: str) -> hd.sr.TrackingIdentifier:
    return hd.sr.TrackingIdentifier(uid=uid, identifier=identifier)


def _region(region: Circle | Polyline) -> hd.sr.ImageRegion:
    """2D on its key slice: what IHE AI Results asks for and OHIF draws."""
    if isinstance(region, Circle):
        column, row = region.centre
        kind = hd.sr.GraphicTypeValues.CIRCLE
        points = np.array([(column, row), (column + region.radius, row)])
    else:
        kind = hd.sr.GraphicTypeValues.POLYLINE
        points = np.array(region.points)
        if not np.array_equal(points[0], points[-1]):
            points = np.vstack([points, points[:1]])
    image = region.image
    return hd.sr.ImageRegion(
        graphic_type=kind,
        graphic_data=points,
        source_image=hd.sr.SourceImageForRegion(
            image.sop_class_uid,
            image.sop_instance_uid,
            None if image.frame_number is None else [image.frame_number],
        ),
    )


def text(
    name: Code, value: str, relationship: Relation = Relation.CONTAINS
) -> hd.sr.TextContentItem:
    """A TEXT below its parent."""
    return hd.sr.TextContentItem(name=name, value=value, relationship_type=relationship)


def image(name: Code, dataset: Dataset, frames: Sequence[int] = ()) -> hd.sr.ImageContentItem:
    """A reference to an image, or to frames of it, that its parent contains."""
    return hd.sr.ImageContentItem(
        name=name,
        referenced_sop_class_uid=dataset.SOPClassUID,
        referenced_sop_instance_uid=dataset.SOPInstanceUID,
        referenced_frame_numbers=list(frames) or None,
        relationship_type=Relation.CONTAINS,
    )
