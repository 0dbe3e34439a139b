"""One small study's worth of arguments for the templates."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
from pydicom import Dataset

from sr_templates.band import Band, Call
from sr_templates.findings import (
    Algorithm,
    Circle,
    Consistency,
    EarlierImage,
    Growth,
    ImageReference,
    Lobe,
    Location,
    Measurements,
    NoduleFinding,
    ObjectIdentity,
    Outcome,
    Polyline,
    RatedAlike,
    RefusedFinding,
    ReportContent,
    Side,
)
from sr_templates.pictures.capture_view import (
    SCALE_NAMES,
    Bar,
    CaptureSlice,
    Grounds,
    Legend,
    Locator,
    NoduleView,
)
from tests.synthetic import ct_series

COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"
COMPREHENSIVE = "1.2.840.10008.5.1.4.1.1.88.33"
TOKYO = timezone(timedelta(hours=9))

ALGORITHM = Algorithm(
    name="M3Net small",
    version="0.1.0",
    manufacturer="m3node",
    parameters=("preset = small", "threshold = 0.5"),
    fingerprints=("model = 3f9a2c11", "analysis = 77aa"),
    device_uid="2.25.40",
    device_model="m3node",
    device_serial="2.25.40",
    software_version="0.1.0",
    trained=True,
)
UNTRAINED = replace(ALGORITHM, trained=False)

CT: list[Dataset] = ct_series()
SLICE = CT[4]
REFERENCE = ImageReference(sop_class_uid=SLICE.SOPClassUID, sop_instance_uid=SLICE.SOPInstanceUID)

ROUND = NoduleFinding(
    tracking_uid="2.25.71",
    tracking_id="Nodule 1",
    probability=0.873,
    call=Call.ABOVE,
    diameter_mm=12.4,
    region=Circle(image=REFERENCE, centre=(10.5, 8.5), radius=3.0),
    comment="Nodule 1: probability of malignancy 87 %, above the band of 35 % to 65 %",
)
OUTLINED = NoduleFinding(
    tracking_uid="2.25.72",
    tracking_id="Nodule 2",
    probability=0.041,
    call=Call.BELOW,
    diameter_mm=None,
    region=Polyline(image=REFERENCE, points=((2.0, 2.0), (6.0, 2.0), (4.0, 6.0))),
    comment="Nodule 2: probability of malignancy < 5 %, below the band of 35 % to 65 %",
    measurements=Measurements(
        long_axis_mm=33.36,
        short_axis_mm=24.44,
        volume_mm3=9123.4,
        mean_hu=-34.6,
        consistency=Consistency.PART_SOLID,
    ),
    location=Location(
        side=Side.LEFT, lobe=Lobe.LOWER, series_number=4, image_number=43, images=133
    ),
    limits=("slices of 2.5 mm", "one annotation's outline"),
    rated_alike=RatedAlike(low=1.0, middle=2.33, high=3.5),
)
GROWN = replace(
    OUTLINED,
    growth=Growth(
        on="2025-07-15", days=184, volume_mm3=6002.3, change_percent=52.0, doubling_days=304.6
    ),
    earlier=EarlierImage(
        accession="A0",
        study_instance_uid="2.25.91",
        series_instance_uid="2.25.92",
        image=replace(REFERENCE, sop_instance_uid="2.25.93"),
    ),
)
REFUSED = RefusedFinding(
    tracking_uid="2.25.73", tracking_id="Nodule 3", reason="its centre is outside the CT"
)
FULL = ReportContent(
    outcome=Outcome.PARTLY_ANALYSED,
    headline="2 of 3 nodules analysed; Nodule 3 was not",
    summary=("Nodule 1: 87 %.", "Nodule 2: < 5 %; left lung.", "Nodule 3: not analysed."),
    nodules=(ROUND, OUTLINED),
    refused=(REFUSED,),
    remarks=("8 of 8 slices read.", "The CT was compressed with loss."),
)


def identity(number: int = 1, *, uid: str = "2.25.50", series: str = "2.25.60") -> ObjectIdentity:
    """An object of 2026-03-04 05:06:07.5 in Tokyo."""
    return ObjectIdentity(
        sop_instance_uid=f"{uid}{number}",
        series_instance_uid=series,
        series_number=9001,
        instance_number=number,
        at=datetime(2026, 3, 4, 5, 6, 7, 500000, tzinfo=TOKYO),
    )


def view(
    *,
    slices: int = 3,
    side: int = 40,
    peak: tuple[int, int] = (14, 26),
    row_direction: tuple[float, float, float] = (1.0, 0.0, 0.0),
    col_direction: tuple[float, float, float] = (0.0, 1.0, 0.0),
) -> NoduleView:
    """Lung of -800 HU; every map is hot at `peak` (row, column) alone."""
    shape = (slices, side, side)
    heat = np.zeros(shape, dtype=np.float32)
    rows, columns = np.mgrid[:side, :side]
    heat[:] = np.exp(-((rows - peak[0]) ** 2 + (columns - peak[1]) ** 2) / 8)
    return NoduleView(
        slab_hu=np.full(shape, -800, dtype=np.int16),
        spacing_mm=(0.7, 0.7),
        row_direction=row_direction,
        col_direction=col_direction,
        outline=None,
        maps={"macro": heat, "meso": _within(heat, 16), "micro": _within(heat, 10)},
        shown=dict.fromkeys(SCALE_NAMES, np.ones(shape, dtype=bool)),
        slices=[
            CaptureSlice(
                source=ImageReference(
                    sop_class_uid=CT[number].SOPClassUID,
                    sop_instance_uid=CT[number].SOPInstanceUID,
                ),
                position_mm=-100 + 2.5 * number,
                image_number=number + 1,
            )
            for number in range(slices)
        ],
        key=1,
        locator=locator(),
        flat_scales=frozenset({"micro"}),
    )


def locator() -> Locator:
    """A slice of 100 x 100 pixels in which the slab begins at (20, 50); above, nothing scanned."""
    coronal = np.full((200, 200), -1000.0, dtype=np.float32)
    coronal[:50] = np.nan
    return Locator(
        slice_hu=np.full((100, 100), -800, dtype=np.int16),
        first=(20, 50),
        coronal_hu=coronal,
        coronal_mm=1.0,
        centre=(120.0, 60.0),
    )


def grounds() -> Grounds:
    """Images and measurements that add up to the logit of 0.873; six measurements."""
    return Grounds(
        images=0.4,
        measurements=1.528,
        bars=[
            Bar(words="size", detail="volume 998 mm³, median 225", effect=0.2),
            Bar(words="edge", detail="steepness 300 HU/mm, median 285", effect=-0.1),
            Bar(words="density", detail="mean -10 HU, median -307", effect=0.05),
            Bar(words="roundness", detail="sphericity 0.91, median 0.89", effect=0.02),
            Bar(words="contrast", detail="to 3 mm around 430 HU, median 419", effect=0.01),
            Bar(words="attachments", detail="vessels, pleura 3, median 5", effect=-0.001),
        ],
        estimate=0.71,
        of_usual=0.54,
    )


def _within(heat: np.ndarray, reach: int) -> np.ndarray:
    """NaN farther than `reach` from the middle."""
    middle = heat.shape[-1] // 2
    cut = np.full_like(heat, np.nan)
    here = slice(middle - reach, middle + reach)
    cut[:, here, here] = heat[:, here, here]
    return cut


def legend(**changes: object) -> Legend:
    """The legend of ROUND."""
    plain = Legend(
        tracking_id="Nodule 1",
        probability=0.873,
        band=Band(low=0.35, high=0.65),
        diameter_mm=12.4,
        model_name="M3Net small",
        model_version="0.1.0",
        trained=True,
        meaning="as radiologists would rate it; not histology",
        revision=2,
        at=datetime(2026, 11, 28, 3, 5, tzinfo=TOKYO),
        grounds=grounds(),
    )
    return replace(plain, **changes)
