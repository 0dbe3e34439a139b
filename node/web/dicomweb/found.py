"""What a search has found, as DICOM says it (PS3.18 10.6.3.3): one data set a result."""

from collections.abc import Callable, Mapping, Sequence

from node.dicom.described import date_of, time_of
from node.dicom.searchable import Attribute, Value
from node.web.dicomweb.metadata_model import Attribute as Said
from node.web.dicomweb.metadata_values import Value as SaidValue
from node.web.dicomweb.query import Query
from sr_templates.character_sets import UNICODE

_CHARACTER_SET = Said(tag=0x00080005, vr="CS", values=[UNICODE])
_LEVELS = ("studies", "series", "instances")
_UIDS = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")


def data_sets(rows: Sequence[Sequence[Value]], query: Query, *, base: str) -> list[list[Said]]:
    """Of each row its attributes, ascending by tag; an attribute that nobody has said is empty.

    base : URI of the service
    """
    columns = query.search.answered
    return [_data_set(dict(zip(columns, row, strict=True)), query, base) for row in rows]


def _data_set(row: Mapping[Attribute, Value], query: Query, base: str) -> list[Said]:
    made = {"InstanceAvailability": "ONLINE", "RetrieveURL": _retrieve_url(row, query, base)}
    found: dict[int, Said] = {_CHARACTER_SET.tag: _CHARACTER_SET}
    for each in query.answered:
        value = row[each] if each.column else made[each.keyword]
        said = Said(tag=each.tag, vr=each.vr, values=_values(each, value))
        if not each.inside:
            found[said.tag] = said
            continue
        outer = each.path[0]
        sequence = found.setdefault(outer, Said(tag=outer, vr="SQ", items=[]))
        if said.values:
            sequence.items = [[*(item for items in sequence.items or () for item in items), said]]
    return sorted(found.values(), key=lambda said: said.tag)


def _retrieve_url(row: Mapping[Attribute, Value], query: Query, base: str) -> str:
    uids = {each.column: value for each, value in row.items()}
    names = zip(_LEVELS, _UIDS[: query.search.level + 1], strict=False)
    return base + "".join(f"/{level}/{uids[uid]}" for level, uid in names)


def _values(attribute: Attribute, value: Value) -> list[SaidValue] | None:
    if attribute.keyword == "ModalitiesInStudy":
        return [each for each in str(value).split("\\") if each] or None
    if isinstance(value, str):
        value = _OF_VR.get(attribute.vr, str)(value)
    return None if value in ("", None) else [value]


_OF_VR: Mapping[str, Callable[[str], str]] = {"DA": date_of, "TM": time_of}
"""A date that is none was kept as it came, and is not handed on as a date."""
