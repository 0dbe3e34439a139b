"""Stored objects as they are read: a header without its pixels, an annotation whole."""

from pathlib import Path

import pytest

from m3net.errors import AnnotationUnusable
from node.core.reading import read_annotation, read_header
from tests import synthetic


def test_a_header_has_no_pixels_and_an_annotation_has_them(tmp_path: Path) -> None:
    image = synthetic.ct_series()[0]
    image.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    header = read_header(tmp_path / "ct.dcm", assumed_character_set=None)
    assert (header.SOPInstanceUID, "PixelData" in header) == (image.SOPInstanceUID, False)
    whole = read_annotation(tmp_path / "ct.dcm", assumed_character_set=None)
    assert whole.PixelData == image.PixelData


def test_an_object_without_a_character_set_has_the_one_that_is_assumed(tmp_path: Path) -> None:
    image = synthetic.ct_series()[0]
    del image.SpecificCharacterSet
    image.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    for read in (read_header, read_annotation):
        assert read(tmp_path / "ct.dcm", assumed_character_set="ISO_IR 192").SpecificCharacterSet


def test_what_is_no_dicom_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_bytes(b"no DICOM")
    with pytest.raises(AnnotationUnusable, match=r"^the object cannot be taken apart \(Invalid"):
        read_annotation(tmp_path / "x.dcm", assumed_character_set=None)
