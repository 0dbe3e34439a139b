from copy import deepcopy
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from sr_templates.overlay import FRAME_BYTES, render_capture
from sr_templates.secondary_capture import build_captures
from tests import validators
from tests.sr_templates.examples import ALGORITHM, CT, SLICE, UNTRAINED, identity, legend, view

FRAMES = render_capture(view(), legend())


def captures(**changes: object) -> list[Dataset]:
    arguments = {
        "frames": FRAMES,
        "subject": SLICE,
        "identity_of": lambda number: identity(number + 1, uid="2.25.90", series="2.25.61"),
        "algorithm": ALGORITHM,
        "multi_frame": True,
        "tracking_id": "Nodule 1",
        "patient_orientation": ("L", "P"),
    }
    return build_captures(**{**arguments, **changes})


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_a_multi_frame_capture_reads_back_as_it_was_drawn():
    (built,) = captures()
    read = dcmread(BytesIO(encoded(built)))
    assert read.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7.4"
    assert np.array_equal(read.pixel_array, np.stack([frame.rgb for frame in FRAMES]))
    assert list(read.FrameLabelVector) == ["overview", "Im 1", "Im 2", "Im 3"]
    assert read.RepresentativeFrameNumber == 3


def test_single_frames_are_objects_of_their_own():
    built = captures(multi_frame=False)
    assert [one.SOPInstanceUID for one in built] == ["2.25.901", "2.25.902", "2.25.903", "2.25.904"]
    assert [one.InstanceNumber for one in built] == [1, 2, 3, 4]
    assert {one.SOPClassUID for one in built} == {"1.2.840.10008.5.1.4.1.1.7"}
    assert built[3].ImageComments == "Nodule 1, Im 3"
    (source,) = built[3].SourceImageSequence
    assert source.ReferencedSOPInstanceUID == CT[2].SOPInstanceUID


def test_what_a_viewer_must_know_is_stated():
    (built,) = captures()
    assert built.ImageType == ["DERIVED", "SECONDARY"]
    assert built.BurnedInAnnotation == "NO"
    assert built.ContentQualification == "RESEARCH"
    assert built.PatientOrientation == ["L", "P"]
    assert built.DerivationDescription == "Grad-CAM of M3Net small 0.1.0 over CT, Nodule 1"
    assert "PixelSpacing" not in built
    assert "FrameOfReferenceUID" not in built
    assert (built.PatientName, built.AccessionNumber) == ("Phantom^Small", "A1")
    assert built.StudyDescription == "CT chest"


def test_a_picture_of_a_lossy_ct_says_so():
    lossy = deepcopy(SLICE)
    lossy.LossyImageCompression = "01"
    lossy.LossyImageCompressionRatio = 12.5
    lossy.LossyImageCompressionMethod = "ISO_10918_1"
    (built,) = captures(subject=lossy)
    assert built.LossyImageCompression == "01"
    assert built.LossyImageCompressionRatio == 12.5
    assert captures()[0].LossyImageCompression == "00"


def test_untrained_weights_are_named_in_the_header_too():
    (built,) = captures(algorithm=UNTRAINED)
    assert built.ImageComments == "UNTRAINED, NOT A RESULT: Nodule 1"


def test_the_same_arguments_give_the_same_bytes():
    assert encoded(captures()[0]) == encoded(captures()[0])


def test_too_many_bytes_are_refused_before_anything_is_built():
    captures(max_bytes=4 * FRAME_BYTES)
    with pytest.raises(ValueError, match="4 frames of 9437184 bytes, allowed 9437183"):
        captures(max_bytes=4 * FRAME_BYTES - 1)


@pytest.mark.peers
@pytest.mark.parametrize("multi_frame", [True, False])
def test_dciodvfy_finds_no_error_and_dcmtk_draws_the_frame(multi_frame, tmp_path):
    built = captures(multi_frame=multi_frame)[0]
    path = tmp_path / "capture.dcm"
    path.write_bytes(encoded(built))
    assert validators.dciodvfy(path) == []
    drawn = validators.render(path, tmp_path / "capture.png", frame=1)
    with Image.open(drawn) as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), FRAMES[0].rgb)
