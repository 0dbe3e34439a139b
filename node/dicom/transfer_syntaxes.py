"""Which transfer syntaxes are accepted: those that pydicom really decodes in this installation.

Objects are stored as they came; nothing is transcoded on the way in.
"""

from collections.abc import Mapping

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, AllTransferSyntaxes

REQUIRED: Mapping[str, str] = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless, Process 14",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, Process 14, Selection Value 1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless Only",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "HTJ2K Lossless Only",
    "1.2.840.10008.1.2.4.202": "HTJ2K Lossless Only, RPCL",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
}
"""What a node must decode; an installation that cannot does not start."""

LAST_RESORT = frozenset({UID("1.2.840.10008.1.2.4.51")})
"""Decoded for samples of 8 bits only (python-gdcm and Pillow both stop there), so chosen only where
the sender offers nothing else; a CT that comes so is kept and reported as not analysed."""


def decodable() -> tuple[UID, ...]:
    """Every transfer syntax whose pixels pydicom decodes here, in the Standard's order."""
    return tuple(uid for uid in AllTransferSyntaxes if _has_decoder(uid))


def missing() -> tuple[str, ...]:
    """The names of the required transfer syntaxes that this installation cannot decode."""
    here = set(decodable())
    return tuple(name for uid, name in REQUIRED.items() if uid not in here)


def _has_decoder(uid: UID) -> bool:
    try:
        return bool(get_decoder(uid).is_available)
    except NotImplementedError:
        return False  # pydicom knows the syntax (video, for one) and has no decoder for it
