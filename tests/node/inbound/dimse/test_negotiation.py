"""Presentation contexts: what is proposed and decodable is accepted, in the sender's order."""

import pytest

from node.dicom.transfer_syntaxes import decodable
from node.inbound.dimse.negotiation import answer
from node.inbound.dimse.upper_layer import Answered, Proposed

CT = "1.2.840.10008.5.1.4.1.1.2"
PRIVATE = "1.3.12.2.1107.5.9.1"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
MPEG4 = "1.2.840.10008.1.2.4.102"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
PRIVATE_SYNTAX = "1.2.840.113619.5.2"


def asked(sop_class: str, *syntaxes: str, accept: str = "all") -> Answered:
    proposed = Proposed(context_id=7, abstract_syntax=sop_class, transfer_syntaxes=syntaxes)
    ours = frozenset(str(uid) for uid in decodable())
    return answer(proposed, accept=accept, decodable=ours)


def test_of_what_is_decoded_the_senders_first_wish_is_taken() -> None:
    accepted = asked(CT, JPEG_LOSSLESS, EXPLICIT, IMPLICIT)
    assert (accepted.context_id, accepted.is_accepted) == (7, True)
    assert accepted.transfer_syntax == JPEG_LOSSLESS
    assert asked(CT, IMPLICIT, JPEG_LOSSLESS).transfer_syntax == IMPLICIT


def test_jpeg_extended_is_the_last_resort() -> None:
    assert asked(CT, JPEG_EXTENDED, EXPLICIT).transfer_syntax == EXPLICIT
    assert asked(CT, JPEG_EXTENDED, MPEG4).transfer_syntax == JPEG_EXTENDED


@pytest.mark.parametrize("syntax", [MPEG4, DEFLATED_FRAMES])
def test_what_cannot_be_decoded_comes_after_all_that_can(syntax: str) -> None:
    assert asked(CT, syntax, EXPLICIT).transfer_syntax == EXPLICIT
    assert asked(CT, syntax).transfer_syntax == syntax


@pytest.mark.parametrize("syntax", [PRIVATE_SYNTAX, "1.2.840.10008.1.2.4.95", "Müller^Jörg", ""])
def test_a_syntax_whose_data_set_cannot_be_filed_is_not_supported(syntax: str) -> None:
    assert asked(CT, syntax).result == 4
    assert asked(CT).result == 4
    assert asked(CT, syntax, IMPLICIT).transfer_syntax == IMPLICIT


@pytest.mark.parametrize("sop_class", ["", "Müller^Jörg", "1." + "2" * 63, "1.2.840.10008.1.3.10"])
def test_an_abstract_syntax_that_is_no_storage_class_is_not_supported(sop_class: str) -> None:
    assert asked(sop_class, IMPLICIT).result == 3


def test_private_classes_are_stored_and_verification_is_served() -> None:
    assert asked(PRIVATE, IMPLICIT).is_accepted
    assert asked(VERIFICATION, IMPLICIT).is_accepted


def test_listed_takes_what_is_interpreted_and_verification() -> None:
    assert asked(PRIVATE, IMPLICIT, accept="listed").result == 3
    assert asked(CT, IMPLICIT, accept="listed").is_accepted
    assert asked(VERIFICATION, IMPLICIT, accept="listed").is_accepted
