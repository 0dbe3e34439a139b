"""Every transfer syntax that a scanner may use is decoded here."""

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from node.dicom.transfer_syntaxes import decodable, missing

EXPECTED = {
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
}


def test_the_named_transfer_syntaxes_are_decoded_by_this_installation() -> None:
    assert set(decodable()) == EXPECTED
    assert missing() == ()


def test_no_decoder_comes_from_a_gpl_package() -> None:
    plugins = {p for uid in EXPECTED for p in get_decoder(UID(uid)).available_plugins}
    assert plugins <= {"gdcm", "pyjpegls", "pylibjpeg", "pillow", "pydicom"}


def test_video_is_not_decoded() -> None:
    assert UID("1.2.840.10008.1.2.4.100") not in decodable()
