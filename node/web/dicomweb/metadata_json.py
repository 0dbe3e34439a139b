"""The DICOM JSON Model (PS3.18 F.2)."""

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from node.web.dicomweb.element_values import Value, number_of
from node.web.dicomweb.metadata_model import Attribute

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def as_json(attributes: Sequence[Attribute]) -> bytes:
    """One object, in UTF-8; a number that JSON has not is a text, so that any reader takes it."""
    text = json.dumps(
        _data_set(attributes), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return text.encode()


def _data_set(attributes: Sequence[Attribute]) -> dict[str, Any]:
    return {f"{each.tag:08X}": _attribute(each) for each in attributes}


def _attribute(each: Attribute) -> dict[str, Any]:
    if each.items is not None:
        if not each.items:
            return {"vr": each.vr}
        return {"vr": each.vr, "Value": [_data_set(item) for item in each.items]}
    if each.bulk is not None:
        return {"vr": each.vr, "BulkDataURI": each.bulk}
    if each.inline is not None:
        return {"vr": each.vr, "InlineBinary": b64encode(each.inline).decode("ascii")}
    if each.values is None:
        return {"vr": each.vr}
    if each.vr == "PN":
        return {"vr": each.vr, "Value": [_person_name(value) for value in each.values]}
    return {"vr": each.vr, "Value": [number_of(value, each.vr) for value in each.values]}


def _person_name(value: Value) -> dict[str, str] | None:
    groups = str(value or "").split("=")[: len(_GROUPS)]
    found = {name: group for name, group in zip(_GROUPS, groups, strict=False) if group.strip("^ ")}
    return found or None
