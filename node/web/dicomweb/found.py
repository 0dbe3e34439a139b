"""What a search has found, as DICOM says it (PS3.18 10.6.3.3): one data set a result."""

from collections.abc import Callable, Mapping, Sequence

from node.dicom.described import date_of, time_of
from node.dicom.searchable import Attribute, Value
from node.web.dicomweb.element_values import Value as SaidValue
from node.web.dicomweb.metadata_model import Attribute as Said
from node.web.dicomweb.query import Query
from sr_templates.character_sets import UNICODE

_CHARACTER_SET = Said(tag=0x00080005, vr="CS", values=[UNICODE])
_LEVELS = ("studies", "series", "instances")
_UIDS = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")


def data_sets(rows: Sequence[Sequence[Value]], query: Query, *, base: str) -> list[list[Said]]:
    """Of each row its attributes, ascending by tag; an attribute that nobody has said is empty.

    base : URI of the service
    """
    columns = {each: at for at, each in enumerate(query.search.answered)}
    answered = sorted(query.answered, key=lambda each: each.path)
    at_uids = [
        next(at for each, at in columns.items() if each.column == uid)
        for uid in _UIDS[: query.search.level + 1]
    ]

    def data_set(row: Sequence[Value]) -> list[Said]:
        named = zip(_LEVELS, at_uids, strict=False)
        address = base + "".join(f"/{level}/{row[at]}" for level, at in named)
        made = {"InstanceAvailability": "ONLINE", "RetrieveURL": address}
        found = [_CHARACTER_SET]
        for each in answered:
            value = row[columns[each]] if each.column else made[each.keyword]
            said = Said(tag=each.tag, vr=each.vr, values=_values(each, value))
            if each.inside:
                _put_into(found, each.path[0], said)
            else:
                found.append(said)
        return found

    return [data_set(row) for row in rows]


def _put_into(found: list[Said], sequence: int, said: Said) -> None:
    """It stands in the sequence's one item; a sequence of which nothing is said has none."""
    if found[-1].tag != sequence:
        found.append(Said(tag=sequence, vr="SQ", items=[]))
    if said.values:
        items = found[-1].items or [[]]
        items[0].append(said)
        found[-1].items = items


def _values(attribute: Attribute, value: Value) -> list[SaidValue] | None:
    if value in ("", None):
        return None
    if attribute.keyword == "ModalitiesInStudy":
        return [each for each in str(value).split("\\") if each]
    read = _OF_VR.get(attribute.vr)
    if read is not None:
        value = read(str(value))
    return [value] if value != "" else None


_OF_VR: Mapping[str, Callable[[str], str]] = {"DA": date_of, "TM": time_of}
"""A date that is none was kept as it came, and is not handed on as a date."""
