"""What the conformance statement says of WADO-RS, by which stored objects are retrieved."""

from collections.abc import Iterator

from pydicom.uid import UID

from node.dicom.retrieval import (
    FRAME_MEDIA_TYPES,
    MOST_DECODED_SAMPLES,
    MOST_FRAMES_AT_ONCE,
    MOST_INLINE_BYTES,
    MOST_INLINE_VALUE_BYTES,
    MOST_PIXELS_A_SIDE,
    MOST_RENDERED_SAMPLES,
    OCTETS,
    WRITTEN_IN,
)
from node.operator.markdown import table


def wado_rs() -> list[str]:
    """The section."""
    return [
        "## WADO-RS origin server (PS3.18 10.4)",
        "",
        "Below `/dicom-web`. Retrieved is the current version of what was received, and of the "
        "results those in force in their richest form. `accept=` goes before Accept; no Accept, "
        '`*/*`, `type="*/*"` and `transfer-syntax=*` mean as stored. Nothing that is asked for can '
        "be had: 406, and what can.",
        "",
        *table(("Resource", "Below", "Media types, the default first"), _resources()),
        "",
        "Without a transfer-syntax, whole instances are written in Explicit VR Little Endian, "
        "unless they are stored with loss or cannot be decoded: then as stored. On request they "
        f"are written in {', '.join(UID(uid).name for uid in WRITTEN_IN)}, from what can be "
        "decoded and always without loss; text stays byte for byte.",
        "",
        *table(("Compressed frames as stored", "Transfer syntax"), _frames()),
        "",
        f"Uncompressed frames are {OCTETS} in little endian; decoded colours are RGB, except "
        "YBR_FULL, which stays. Frames of single bits begin at the lowest bit of a byte each, the "
        "last byte filled with zeros. The frames of a video are not told apart.",
        "",
        "**Metadata** hold every attribute; decimal strings that are no numbers, numbers that are "
        "not finite (NaN, Infinity, -Infinity) and integers beyond 2^53 are JSON strings. Texts "
        "are Unicode (ISO_IR 192), undecodable characters U+FFFD. An instance that cannot be read "
        "is left out and named in a Warning header; whole instances without it are 206. A file "
        "that is damaged is never sent to its end: the connection is cut.",
        "",
        "**BulkDataURI** begins with `web.public_url`, else with the Host of the request; "
        "X-Forwarded headers are not heeded, and Range is not either.",
        "",
        "**Rendered**: `window=center,width,linear` (linear-exact, sigmoid), "
        "`viewport=width,height[,x,y,width,height]`, `quality`; `annotation` and `iccprofile` are "
        "not heeded. The window is the one asked for, else the object's (VOI LUT first), else its "
        "lowest to highest value. Of several frames the Representative Frame stands for all, else "
        "the first. An Encapsulated PDF is its PDF; of a report there is no picture.",
        "",
        *table(("Limit", ""), _limits()),
        "",
    ]


def _resources() -> Iterator[tuple[str, str, str]]:
    levels = "study, series, instance"
    parts = "in multipart/related"
    alone = f"{parts}, of one instance alone too"
    yield "whole instances", levels, f"application/dicom {alone}"
    yield "`/metadata`", levels, f"application/dicom+json; application/dicom+xml {alone}"
    yield "`/frames/1,3,5`", "instance", f"as stored, or {OCTETS}, {parts}; one frame alone too"
    yield (
        "`/bulkdata/...`",
        "instance",
        f"{OCTETS} {parts} or alone; of a document application/pdf too; of compressed pixels as "
        "`/frames`",
    )
    yield "`/rendered`", f"{levels}, frames", f"image/jpeg, image/png; several {parts}"
    yield "`/thumbnail`", f"{levels}, frames", "image/jpeg, image/png"


def _frames() -> Iterator[tuple[str, str]]:
    for media_type in dict.fromkeys(FRAME_MEDIA_TYPES.values()):
        of_it = [UID(uid).name for uid, kind in FRAME_MEDIA_TYPES.items() if kind == media_type]
        yield media_type, "; ".join(of_it)


def _limits() -> Iterator[tuple[str, str]]:
    yield "samples of a frame that is decoded", f"{MOST_DECODED_SAMPLES:,}"
    yield "samples of a frame that is rendered", f"{MOST_RENDERED_SAMPLES:,}"
    yield "pixels of a viewport, a side", f"{MOST_PIXELS_A_SIDE:,}"
    yield "frames in one request", f"{MOST_FRAMES_AT_ONCE:,}"
    yield "bytes of a binary value in metadata", f"{MOST_INLINE_BYTES:,}"
    yield "bytes of numbers or text in metadata", f"{MOST_INLINE_VALUE_BYTES:,}"
