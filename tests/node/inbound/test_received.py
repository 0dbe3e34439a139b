"""What is known of an object that is too large to be parsed: as much, in little memory."""

import tracemalloc
import zlib

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    SegmentationStorage,
)

from node.config import ReceiverConfig
from node.core.inputs import Role
from node.inbound import encoded as module
from node.inbound.received import Received, received
from tests.node.inbound.test_intake import encoded
from tests.node.objects import ct_image

MB = 1 << 20


def segmentation(last: int = 0, *, pixels_mb: int = 0) -> bytes:
    """A segmentation, encoded, whose last pixel says so."""
    made = ct_image(0)
    made.SOPClassUID = SegmentationStorage
    made.PixelData = bytes(pixels_mb * MB + 9_998) + bytes((0, last))
    return encoded(made)


def known(data: bytes, syntax: str = ExplicitVRLittleEndian) -> Received:
    return received(
        memoryview(data),
        syntax=syntax,
        announced_class=SegmentationStorage,
        config=ReceiverConfig(),
    )


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def test_one_that_is_too_large_is_told_apart_by_its_bytes_and_known_by_its_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = known(segmentation()).facts
    monkeypatch.setattr(module, "MOST_PARSED_BYTES", 5_000)
    for data, syntax in (
        (segmentation(), ExplicitVRLittleEndian),
        (deflated(segmentation()), DeflatedExplicitVRLittleEndian),
    ):
        cut = known(data, syntax).facts
        assert cut.role is whole.role is Role.ANNOTATION
        assert (cut.kind, cut.identity_digest) == (whole.kind, whole.identity_digest)
        assert cut.references == whole.references
    digests = {known(segmentation(last)).facts.content_digest for last in (0, 0, 1)}
    assert len(digests) == 2


@pytest.mark.parametrize("is_deflated", [False, True])
def test_memory_does_not_grow_with_its_pixels(
    monkeypatch: pytest.MonkeyPatch, is_deflated: bool
) -> None:
    monkeypatch.setattr(module, "MOST_PARSED_BYTES", 2 * MB)
    plain = segmentation(pixels_mb=64)
    data = deflated(plain) if is_deflated else plain
    del plain
    tracemalloc.start()
    try:
        known(data, DeflatedExplicitVRLittleEndian if is_deflated else ExplicitVRLittleEndian)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * MB
