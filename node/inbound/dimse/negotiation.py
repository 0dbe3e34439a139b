"""Which of the presentation contexts that a sender proposes are accepted (PS3.8 9.3.2.2)."""

from collections.abc import Collection
from typing import Literal

from pydicom.uid import UID

from node.dicom.header_text import is_uid
from node.dicom.sop_classes import VERIFICATION, is_accepted
from node.dicom.transfer_syntaxes import LAST_RESORT, is_keepable
from node.inbound.dimse.upper_layer import Answered, Proposed

_ACCEPTED, _ABSTRACT_SYNTAX, _TRANSFER_SYNTAXES = 0, 3, 4


def answer(
    proposed: Proposed, *, accept: Literal["all", "listed"], decodable: Collection[str]
) -> Answered:
    """What is answered to one context: of the syntaxes that it offers the first that is decoded.

    decodable : transfer syntaxes whose pixels are decoded here

    One of which only some pixels are decoded is the last of them; one that can be kept and not
    decoded is accepted where nothing else is offered.
    """
    if not _is_served(proposed.abstract_syntax, accept):
        return Answered(context_id=proposed.context_id, result=_ABSTRACT_SYNTAX)
    offered = [UID(uid) for uid in proposed.transfer_syntaxes if is_uid(uid)]
    ours = [uid for uid in offered if uid in decodable]
    ours.sort(key=lambda uid: uid in LAST_RESORT)
    wanted = [*ours, *(uid for uid in offered if uid not in decodable and is_keepable(uid))]
    if not wanted:
        return Answered(context_id=proposed.context_id, result=_TRANSFER_SYNTAXES)
    return Answered(
        context_id=proposed.context_id, result=_ACCEPTED, transfer_syntax=str(wanted[0])
    )


def _is_served(abstract_syntax: str, accept: Literal["all", "listed"]) -> bool:
    if not is_uid(abstract_syntax):
        return False
    return abstract_syntax == VERIFICATION or is_accepted(UID(abstract_syntax), accept)
