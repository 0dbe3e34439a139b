from copy import deepcopy
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from sr_templates.objects.poorer import frame_alone, frames_alone
from sr_templates.objects.secondary_capture import build_capture
from sr_templates.pictures.overlay import render_capture
from tests import validators
from tests.sr_templates.examples import ALGORITHM, SLICE, UNTRAINED, identity, legend, view

FRAMES = render_capture(view(), legend())


def capture(**changes: object) -> Dataset:
    arguments = {
        "frames": FRAMES,
        "subject": SLICE,
        "identity": identity(1, uid="2.25.90", series="2.25.61"),
        "algorithm": ALGORITHM,
        "shows": "HiResCAM",
        "tracking_id": "Nodule 1",
        "patient_orientation": ("L", "P"),
    }
    return build_capture(**{**arguments, **changes})


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_a_multi_frame_capture_reads_back_as_it_was_drawn():
    built = capture()
    read = dcmread(BytesIO(encoded(built)))
    assert read.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7.4"
    assert np.array_equal(read.pixel_array, np.stack([frame.rgb for frame in FRAMES]))
    assert list(read.FrameLabelVector) == ["overview", "Im 1", "Im 2", "Im 3"]
    assert read.RepresentativeFrameNumber == 3


def test_what_a_viewer_must_know_is_stated():
    built = capture()
    assert built.ImageType == ["DERIVED", "SECONDARY"]
    assert built.BurnedInAnnotation == "NO"
    assert built.ContentQualification == "RESEARCH"
    assert built.PatientOrientation == ["L", "P"]
    assert built.DerivationDescription == "HiResCAM of M3Net small 0.1.0 over CT, Nodule 1"
    assert "PixelSpacing" not in built
    assert "FrameOfReferenceUID" not in built
    assert (built.PatientName, built.AccessionNumber) == ("Phantom^Small", "A1")
    assert built.StudyDescription == "CT chest"


def test_a_picture_of_a_lossy_ct_says_so():
    lossy = deepcopy(SLICE)
    lossy.LossyImageCompression = "01"
    lossy.LossyImageCompressionRatio = 12.5
    lossy.LossyImageCompressionMethod = "ISO_10918_1"
    built = capture(subject=lossy)
    assert built.LossyImageCompression == "01"
    assert built.LossyImageCompressionRatio == 12.5
    assert capture().LossyImageCompression == "00"


def test_untrained_weights_are_named_in_the_header_too():
    built = capture(algorithm=UNTRAINED)
    assert built.ImageComments == "UNTRAINED, NOT A RESULT: Nodule 1"


def test_the_same_arguments_give_the_same_bytes():
    assert encoded(capture()) == encoded(capture())


@pytest.mark.peers
def test_a_page_of_all_nodules_is_one_frame_and_valid_as_it_is_and_alone(tmp_path):
    page = replace(FRAMES[0], label="all 2 nodules", sources=FRAMES[0].sources + FRAMES[1].sources)
    built = capture(
        frames=[page],
        shows="Probabilities",
        tracking_id="all 2 nodules",
        patient_orientation=None,
    )
    assert built.NumberOfFrames == 1
    assert len(built.SourceImageSequence) == 2
    assert frames_alone(built) == [1]
    alone = frame_alone(built, 1, sop_instance_uid="2.25.99")
    assert alone.ImageComments == "all 2 nodules"
    for number, dataset in enumerate((built, alone)):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(encoded(dataset))
        assert validators.dciodvfy(path) == []


@pytest.mark.peers
def test_dciodvfy_finds_no_error_and_dcmtk_draws_the_frame(tmp_path):
    built = capture()
    path = tmp_path / "capture.dcm"
    path.write_bytes(encoded(built))
    assert validators.dciodvfy(path) == []
    drawn = validators.render(path, tmp_path / "capture.png", frame=1)
    with Image.open(drawn) as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), FRAMES[0].rgb)
