"""What the conformance statement says of a result's content: its codes, and IHE AI Results."""

from collections.abc import Iterable

from pydicom.sr.coding import Code

from m3net import consistency, measurements
from node.core.prior import FEWEST_DAYS
from sr_templates import codes, growth
from sr_templates.probability import LEAST_TOLD, MOST_TOLD

Rows = list[tuple[str, str, str]]


def content_of_a_nodule() -> Rows:
    """Per content item of a nodule's Measurement Group: what, its codes, and when it is said."""
    outlined = "of an outline, not of a circle or point; not where scan or image ends in it"
    return [
        (
            "probability of malignancy",
            _named([codes.PROBABILITY_OF_CANCER]),
            f"always: NUM in % to one decimal; in words whole percents, beyond {LEAST_TOLD} % and "
            f'{MOST_TOLD} % only "< {LEAST_TOLD} %" and "> {MOST_TOLD} %"',
        ),
        (
            "what radiologists rated nodules of a like probability",
            _named([codes.RATED_FROM, codes.RATED_TO]),
            "where the model's card has such ranges of nodules told as this one; not where scan or "
            "image ends in it, nor of a size that was not learnt, nor beside the lung: nine in ten "
            "panels' means, 1 to 5 for suspicion, lay between both",
        ),
        (
            "long and short axis, their mean",
            _named([codes.LONG_AXIS, codes.SHORT_AXIS, codes.DIAMETER, codes.MEAN]),
            f"{outlined}; on the key slice, where most is marked; from "
            f"{measurements.LEAST_AXIS_MM:g} mm on; in words whole millimetres",
        ),
        (
            "volume",
            _named([codes.VOLUME]),
            f"{outlined}; on {measurements.FEWEST_SLICES} slices or more",
        ),
        (
            "mean density",
            _named([codes.ATTENUATION, codes.MEAN]),
            f"{outlined}; of {measurements.FEWEST_VOXELS} voxels or more",
        ),
        (
            "solid, part-solid, ground glass",
            _named([codes.TEXTURE, codes.SOLID, codes.PART_SOLID, codes.GROUND_GLASS]),
            f"{outlined}; in slices of {consistency.THICKEST_MM:g} mm or less, from "
            f"{consistency.LEAST_MM3:g} mm3 on, and only where it is clear and no air lies within "
            "(m3net/consistency.py, m3net/cavities.py)",
        ),
        (
            "change in volume",
            _named([codes.VOLUME_CHANGE]),
            "against the latest earlier CT of the patient that is held here, with priors.enabled: "
            "where the nodule is marked in both at the same place of the lung, as their pixels "
            f"have it, in slices of one thickness, {FEWEST_DAYS} days apart or more; inferred from "
            "a slice of the earlier CT, which is Pertinent Other Evidence",
        ),
        (
            "doubling time",
            _named([codes.VOLUME_DOUBLING_TIME]),
            f"where the volume has grown by {growth.ERROR_PERCENT} % or more",
        ),
        (
            "a diameter alone",
            _named([codes.DIAMETER, codes.AS_ANNOTATED]),
            "where nothing was measured and the annotation states or draws one; not of an outline "
            "in which scan or image ends, whose limits say how long it is at least",
        ),
        (
            "side",
            _named([codes.LEFT, codes.RIGHT]),
            "as Laterality of the Finding Site, where both lungs are seen for certain "
            "(m3net/lungs.py)",
        ),
        (
            "above the indeterminate band",
            _named([codes.MALIGNANCY, codes.MALIGNANT]),
            "of a trained model with a threshold; within and below it nothing is coded",
        ),
    ]


def ai_results() -> Rows:
    """IHE RAD AI Results (AIR), actor Evidence Creator: point, met or not, and how."""
    return [
        (
            "results are DICOM objects of the study that was analysed",
            "met",
            "patient and study are the CT's; a series for each kind and revision",
        ),
        (
            "root result: Comprehensive 3D SR, TID 1500",
            "met",
            'Comprehensive SR with the same tree where a destination takes no other ("report")',
        ),
        (
            "valid by pixelmed's SR validator",
            "met",
            "no errors; its warnings are content that an extensible template allows",
        ),
        (
            "who made it: device observer and algorithm (TID 1004, 4019)",
            "met",
            "name, version, manufacturer, family and settings; hashes in Contributing Equipment",
        ),
        (
            "measurements with units, in groups (TID 1410, 1419)",
            "met",
            "each size with its method; the probability with its algorithm",
        ),
        (
            "qualitative findings, coded",
            "met",
            "Finding, Finding Site with Laterality, Malignancy, Texture; CID 100 has no CT of the "
            "chest, which is coded as Target Region",
        ),
        (
            "regions as SCOORD on the source image, or SEG",
            "met",
            "POLYLINE or CIRCLE on the key slice; no SEG is made of a mark that came as one",
        ),
        (
            "locations as points",
            "not used",
            "a bare point is drawn as a dashed circle of nominal radius",
        ),
        (
            "tracking identifier and UID of every finding",
            "met",
            "the annotation's own where it has one, else derived; the same in every revision",
        ),
        (
            "references to the images",
            "met",
            "Image Library with the key slices, and the evidence sequence",
        ),
        (
            "parametric maps",
            "on request",
            "heat maps as Parametric Map; else as Secondary Capture, which is no AIR primitive",
        ),
        (
            "key images",
            "on request",
            "Key Object Selection of the key slices",
        ),
        (
            "an analysis without result is told apart from none",
            "met",
            "not annotated, nothing marked, not analysed and technical failure are reports of "
            "their own: 126001 as title, Not Evaluated as finding, the reason in words",
        ),
        (
            "a new version names the one it replaces",
            "met",
            "Predecessor Documents Sequence; rejection notes (IOCM) on request",
        ),
        (
            "storage by C-STORE or STOW-RS",
            "met",
            "without Storage Commitment",
        ),
        (
            "grouped with Consistent Time; work by AI Workflow (AIW-I)",
            "not met",
            "dates are the host's clock; UPS are made here, when a study has come or a client "
            "names one, and performed here: none is claimed from another worklist, none notified",
        ),
    ]


def _named(listed: Iterable[Code]) -> str:
    return ", ".join(f"({code.value}, {code.scheme_designator}, {code.meaning})" for code in listed)
