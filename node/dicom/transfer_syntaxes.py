"""Which transfer syntaxes are accepted: those that pydicom really decodes in this installation.

Any other of the Standard is accepted where a sender offers nothing else: its objects are kept, and
what should have been read from them is reported as undecodable.

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


_STANDARD = "1.2.840.10008.1.2."
NOT_FILED = frozenset(
    {
        "1.2.840.10008.1.2.4.94",  # JPIP Referenced: the pixels are elsewhere
        "1.2.840.10008.1.2.4.95",  # JPIP Referenced Deflate
        "1.2.840.10008.1.2.4.204",  # JPIP HTJ2K Referenced
        "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K Referenced Deflate
        "1.2.840.10008.1.2.6.1",  # RFC 2557 MIME Encapsulation
        "1.2.840.10008.1.2.6.2",  # XML Encoding
        "1.2.840.10008.1.2.7.1",  # SMPTE ST 2110-20, and the two after it: real-time video
        "1.2.840.10008.1.2.7.2",
        "1.2.840.10008.1.2.7.3",
    }
)
"""Transfer syntaxes of the Standard whose Data Set cannot be filed as it comes."""


def is_keepable(uid: UID) -> bool:
    """Whether an object may come in it though nothing here decodes its pixels.

    Every newer syntax of the Standard encodes the Data Set in Explicit VR Little Endian (PS3.5
    A.4), so it can be filed, kept, and reported as undecodable; refused, it would be missing.
    """
    return uid.startswith(_STANDARD) and uid not in NOT_FILED


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
