"""Presentation contexts: what is proposed and decodable is accepted, in the sender's order."""

import pytest
from pydicom.uid import UID
from pynetdicom import build_context

from node.dicom.transfer_syntaxes import decodable
from node.inbound.dimse.negotiation import acceptable, as_storage

CT = UID("1.2.840.10008.5.1.4.1.1.2")
PRIVATE = UID("1.3.12.2.1107.5.9.1")
VERIFICATION = UID("1.2.840.10008.1.1")
IMPLICIT = UID("1.2.840.10008.1.2")
EXPLICIT = UID("1.2.840.10008.1.2.1")
JPEG_LOSSLESS = UID("1.2.840.10008.1.2.4.70")
MPEG4 = UID("1.2.840.10008.1.2.4.102")
DEFLATED_FRAMES = UID("1.2.840.10008.1.2.8.1")
PRIVATE_SYNTAX = UID("1.2.840.113619.5.2")


def test_the_senders_order_of_transfer_syntaxes_is_kept() -> None:
    proposed = [build_context(CT, [JPEG_LOSSLESS, EXPLICIT, IMPLICIT])]
    (context,) = acceptable(proposed, accept="all", transfer_syntaxes=decodable())
    assert context.abstract_syntax == CT
    assert context.transfer_syntax[:3] == [JPEG_LOSSLESS, EXPLICIT, IMPLICIT]


def test_jpeg_extended_is_the_last_resort() -> None:
    extended = UID("1.2.840.10008.1.2.4.51")
    proposed = [build_context(CT, [extended, EXPLICIT])]
    (context,) = acceptable(proposed, accept="all", transfer_syntaxes=decodable())
    assert context.transfer_syntax[:2] == [EXPLICIT, extended]


def test_two_contexts_of_one_class_become_one_that_takes_both_syntaxes() -> None:
    proposed = [build_context(CT, [JPEG_LOSSLESS]), build_context(CT, [IMPLICIT])]
    (context,) = acceptable(proposed, accept="all", transfer_syntaxes=decodable())
    assert context.transfer_syntax[:2] == [JPEG_LOSSLESS, IMPLICIT]


@pytest.mark.parametrize("syntax", [MPEG4, DEFLATED_FRAMES])
def test_what_cannot_be_decoded_comes_after_all_that_can(syntax: UID) -> None:
    proposed = [build_context(CT, [syntax, EXPLICIT])]
    (context,) = acceptable(proposed, accept="all", transfer_syntaxes=decodable())
    assert context.transfer_syntax[0] == EXPLICIT
    assert context.transfer_syntax[-1] == syntax


@pytest.mark.parametrize("syntax", [PRIVATE_SYNTAX, UID("1.2.840.10008.1.2.4.95")])
def test_a_syntax_whose_data_set_cannot_be_filed_is_never_among_them(syntax: UID) -> None:
    (context,) = acceptable(
        [build_context(CT, [syntax])], accept="all", transfer_syntaxes=decodable()
    )
    assert syntax not in context.transfer_syntax


def test_only_what_was_proposed_is_offered() -> None:
    assert acceptable([], accept="all", transfer_syntaxes=decodable()) == []


def test_private_classes_are_handed_to_the_storage_service_and_standard_ones_are_known() -> None:
    contexts = [build_context(VERIFICATION), build_context(CT), build_context(PRIVATE)]
    items = as_storage(contexts)
    assert set(items) == {PRIVATE}
    assert items[PRIVATE].service_class_uid == "1.2.840.10008.4.2"
