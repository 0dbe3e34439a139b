"""Which of the presentation contexts that a sender proposes are accepted (PS3.8 9.3.2.2)."""

from collections.abc import Iterable, Sequence
from typing import Literal, cast

from pydicom.uid import UID
from pynetdicom.pdu_primitives import SOPClassCommonExtendedNegotiation
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import _STORAGE_CLASSES

from node.dicom.sop_classes import VERIFICATION, is_accepted
from node.dicom.transfer_syntaxes import LAST_RESORT, is_keepable

_STORAGE_SERVICE_CLASS = UID("1.2.840.10008.4.2")


def acceptable(
    proposed: Iterable[PresentationContext],
    *,
    accept: Literal["all", "listed"],
    transfer_syntaxes: Sequence[UID],
) -> list[PresentationContext]:
    """One supported context for each accepted class; what the sender prefers comes first.

    transfer_syntaxes : those whose pixels are decoded here; others come last

    A class with none of our transfer syntaxes is supported still, so that the answer to its
    context is "transfer syntaxes not supported" and not "abstract syntax not supported".
    """
    preferred: dict[UID, list[UID]] = {}
    for context in proposed:
        abstract_syntax = cast(UID, context.abstract_syntax)
        if is_accepted(abstract_syntax, accept):
            preferred.setdefault(abstract_syntax, []).extend(context.transfer_syntax)
    supported = []
    for abstract_syntax, wishes in preferred.items():
        context = PresentationContext()
        context.abstract_syntax = abstract_syntax
        ours = [uid for uid in wishes if uid in transfer_syntaxes]
        ours.sort(key=lambda uid: uid in LAST_RESORT)
        undecodable = [uid for uid in wishes if uid not in transfer_syntaxes and is_keepable(uid)]
        context.transfer_syntax = list(dict.fromkeys([*ours, *transfer_syntaxes, *undecodable]))
        supported.append(context)
    return supported


def as_storage(
    supported: Iterable[PresentationContext],
) -> dict[UID, SOPClassCommonExtendedNegotiation]:
    """Tells pynetdicom that private and unknown classes belong to the Storage Service.

    Nothing of this is sent: SOP Class Common Extended Negotiation has no response (PS3.7 D.3.3.6).
    """
    items = {}
    for context in supported:
        uid = cast(UID, context.abstract_syntax)
        if uid != VERIFICATION and uid not in _STORAGE_CLASSES.values():
            item = SOPClassCommonExtendedNegotiation()
            item.sop_class_uid = uid
            item.service_class_uid = _STORAGE_SERVICE_CLASS
            items[uid] = item
    return items
