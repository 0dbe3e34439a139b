"""The pictures of one nodule, or of all of a study, as secondary captures (PS3.3 A.8.1, A.8.5).

One multi-frame true colour object; `poorer` makes single images of it.  There is no Pixel Spacing:
the panels of a frame are zoomed differently and a viewer's ruler would lie.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from pydicom import Dataset
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage as MULTI_FRAME_CLASS

from sr_templates import codes
from sr_templates.character_sets import UNREADABLE
from sr_templates.envelope import coded, finish, long_string, new_object
from sr_templates.findings import Algorithm, ImageReference, ObjectIdentity
from sr_templates.pictures.capture_view import CaptureFrame
from sr_templates.probability import UNTRAINED

SHORT_STRING = 16
"""Characters of an SH, which a Frame Label Vector is."""

SERIES_DESCRIPTION = "AI nodule pictures (research use)"

_LOSSINESS = (
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


def build_capture(
    *,
    frames: Sequence[CaptureFrame],
    subject: Dataset,
    identity: ObjectIdentity,
    algorithm: Algorithm,
    shows: str,
    tracking_id: str,
    patient_orientation: tuple[str, str] | None,
) -> Dataset:
    """One object with all frames; the same arguments, the same bytes.

    shows               : what of the algorithm, such as "Grad-CAM"
    tracking_id         : the nodule's name, or which nodules it shows
    patient_orientation : letters of the rows' and of the columns' direction; None: of several
    """
    if not frames:
        raise ValueError("no frames: a capture shows at least one slice")
    capture = new_object(
        sop_class_uid=MULTI_FRAME_CLASS,
        modality="OT",
        series_description=SERIES_DESCRIPTION,
        subject=subject,
        algorithm=algorithm,
        identity=identity,
    )
    _describe(capture, frames, algorithm, shows=shows, tracking_id=tracking_id)
    _copy_lossiness(subject, capture)
    capture.PatientOrientation = list(patient_orientation or ())
    _add_frames(capture, frames)
    _add_pixels(capture, frames)
    finish(capture)
    return capture


def _describe(
    capture: Dataset,
    frames: Sequence[CaptureFrame],
    algorithm: Algorithm,
    *,
    shows: str,
    tracking_id: str,
) -> None:
    capture.ConversionType = "WSD"
    capture.DateOfSecondaryCapture = capture.ContentDate
    capture.TimeOfSecondaryCapture = capture.ContentTime
    capture.SecondaryCaptureDeviceManufacturer = capture.Manufacturer
    capture.SecondaryCaptureDeviceManufacturerModelName = capture.ManufacturerModelName
    capture.SecondaryCaptureDeviceSoftwareVersions = capture.SoftwareVersions
    capture.ImageType = ["DERIVED", "SECONDARY"]
    # Or dciodvfy asks for Laterality, which a chest CT's slices have not.
    capture.BodyPartExamined = "CHEST"
    capture.BurnedInAnnotation = "NO"
    capture.RecognizableVisualFeatures = "NO"
    warning = "" if algorithm.trained else f"{UNTRAINED}: "
    capture.DerivationDescription = (
        f"{warning}{shows} of {algorithm.name} {algorithm.version} over CT, {tracking_id}"
    )[:1024]
    capture.ImageComments = f"{warning}{tracking_id}"
    # Those of the key frame first: `poorer.frame_alone` goes by it.
    by_importance = sorted(frames, key=lambda frame: not frame.key)
    sources = list(dict.fromkeys(source for frame in by_importance for source in frame.sources))
    capture.SourceImageSequence = [_source(source) for source in sources]


def _copy_lossiness(subject: Dataset, capture: Dataset) -> None:
    """A picture of a CT that was once compressed lossily says so for ever (PS3.3 C.7.6.1.1.5)."""
    capture.LossyImageCompression = "00"
    for keyword in _LOSSINESS:
        try:
            if subject.get("LossyImageCompression") == "01" and keyword in subject:
                capture[keyword] = deepcopy(subject[keyword])
        except UNREADABLE:
            continue


def _source(image: ImageReference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = image.sop_class_uid
    item.ReferencedSOPInstanceUID = image.sop_instance_uid
    if image.frame_number is not None:
        item.ReferencedFrameNumber = image.frame_number
    item.PurposeOfReferenceCodeSequence = [coded(codes.SOURCE_OF_PROCESSING)]
    return item


def _add_frames(capture: Dataset, frames: Sequence[CaptureFrame]) -> None:
    capture.NumberOfFrames = len(frames)
    if len(frames) == 1:  # then there is no increment (PS3.3 C.7.6.6)
        return
    capture.FrameIncrementPointer = 0x00182002  # Frame Label Vector
    capture.FrameLabelVector = [long_string(frame.label, SHORT_STRING) for frame in frames]
    keys = [number for number, frame in enumerate(frames, start=1) if frame.key]
    if keys:
        capture.RepresentativeFrameNumber = keys[0]


def _add_pixels(capture: Dataset, frames: Sequence[CaptureFrame]) -> None:
    rows, columns, samples = frames[0].rgb.shape
    capture.Rows, capture.Columns, capture.SamplesPerPixel = rows, columns, samples
    capture.PhotometricInterpretation = "RGB"
    capture.PlanarConfiguration = 0
    capture.BitsAllocated = capture.BitsStored = 8
    capture.HighBit, capture.PixelRepresentation = 7, 0
    pixels = b"".join(np.ascontiguousarray(frame.rgb).tobytes() for frame in frames)
    capture.PixelData = pixels + b"\0" * (len(pixels) % 2)
    capture["PixelData"].VR = "OB"
