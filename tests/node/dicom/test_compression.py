"""Pictures in fewer bytes: the same object, the very same pixels."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from node.core.results import ArtifactKind
from node.dicom.compression import compressed, plain
from sr_templates.pictures.overlay import render_capture
from tests import validators
from tests.peers import dcmtk
from tests.results import one_set
from tests.sr_templates.examples import legend, view


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def capture(rows: int = 16, columns: int = 16, frames: int = 3) -> Dataset:
    """Noise over a gradient, which no codec guesses."""
    dataset = one_set()[0].dataset
    shape = (frames, rows, columns, 3)
    noise = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    noise[:, : rows // 2] = np.arange(columns, dtype=np.uint8)[None, None, :, None]
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = rows, columns, frames
    pixels = noise.tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    return dataset


@pytest.mark.parametrize("size", [(16, 16, 3), (15, 17, 1), (768, 5, 2)])
def test_what_was_compressed_comes_back_byte_for_byte(size: tuple[int, int, int]) -> None:
    before = capture(*size)
    smaller = dcmread(BytesIO(encoded(compressed(before))))
    assert smaller.file_meta.TransferSyntaxUID == JPEGLSLossless
    assert smaller.SOPInstanceUID == before.SOPInstanceUID
    assert encoded(plain(smaller)) == encoded(before)


@pytest.mark.peers
def test_dcmtk_decodes_what_was_drawn(tmp_path: Path) -> None:
    frames = render_capture(view(), legend())
    drawn = np.stack([frame.rgb for frame in frames])
    before = capture(*drawn.shape[1:3], frames=len(drawn))
    before.PixelData = drawn.tobytes()
    smaller, decoded = tmp_path / "smaller.dcm", tmp_path / "decoded.dcm"
    smaller.write_bytes(encoded(compressed(before)))
    assert smaller.stat().st_size * 6 < drawn.nbytes
    dcmtk("dcmdjpls", smaller, decoded)
    assert np.array_equal(dcmread(decoded).pixel_array, drawn)
    assert np.array_equal(dcmread(smaller).pixel_array, drawn)
    picture = validators.render(decoded, tmp_path / "second.png", frame=2)
    with Image.open(picture) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), drawn[1])


def test_what_would_not_become_smaller_stays_as_it_is() -> None:
    noise = capture(1, 1, 1)
    assert compressed(noise) is noise


def test_the_same_pixels_make_the_same_bytes() -> None:
    assert encoded(compressed(capture())) == encoded(compressed(capture()))


def test_the_object_that_is_given_stays_as_it_is() -> None:
    before = capture()
    untouched = encoded(before)
    smaller = compressed(before)
    kept = encoded(smaller)
    plain(smaller)
    assert encoded(before) == untouched
    assert encoded(smaller) == kept


def test_what_has_no_pixels_is_left_alone() -> None:
    (report,) = [a.dataset for a in one_set() if a.kind is ArtifactKind.REPORT]
    assert compressed(report) is report
    assert plain(report) is report
    assert report.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_what_is_compressed_already_is_left_alone() -> None:
    smaller = compressed(capture())
    assert compressed(smaller) is smaller
