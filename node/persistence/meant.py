"""Which studies a person means who types a few characters; every way of meaning has an index."""

from sqlalchemy import ColumnElement, CompoundSelect, Select, select, union

from node.persistence.matching import begins_with
from node.persistence.schema import Contribution, Sender, Study

SHORTEST_END = 4
"""So many characters of a UID say something."""
A_TELLING_END = 8
"""So long an end of a UID is one, even where it is an accession number as well."""
CUT = "\N{HORIZONTAL ELLIPSIS}"
"""Stands before the end of a UID where a list shows no more of it."""


def backwards(uid: str) -> str:
    """How a UID is kept beside itself, so that an index finds it by its end."""
    return uid[::-1]


def uid_end(text: str) -> str:
    """What was typed or copied, without the dots of a list that shows the end alone."""
    return text.removeprefix(CUT).removeprefix("...")


def ends_with(end: str) -> ColumnElement[bool]:
    """The study's UID ends so."""
    return begins_with(Study.uid_backwards, backwards(end))


def meant(text: str, *, with_patients: bool) -> CompoundSelect[str]:
    """The UIDs of the studies that a search means.

    Those whose accession number begins so, whose UID is so or ends so, that an AE title or another
    sender of that name brought something to; with_patients: or whose Patient ID begins so.
    """
    uid = Study.study_instance_uid
    ways: list[Select[str]] = [
        select(uid).where(uid == text),
        select(uid).where(begins_with(Study.accession_number, text)),
        select(Contribution.study_instance_uid)
        .join(Sender, Sender.id == Contribution.sender_id)
        .where(Sender.name.in_([text, text.upper()])),
    ]
    if len(end := uid_end(text)) >= SHORTEST_END:
        ways.append(select(uid).where(ends_with(end)))
    if with_patients:
        ways.append(select(uid).where(begins_with(Study.patient_id, text)))
    return union(*ways)
