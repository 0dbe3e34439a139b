"""Unique identifiers that are derived from what they identify, never drawn."""

import json
import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "m3node")


def derive_uid(*parts: str) -> str:
    """The one UID of these parts: "2.25." and the decimal form of a name-based UUID.

    The parts are encoded as a JSON list first, so that ("ab", "c") and ("a", "bc") differ.
    PS3.5 B.2 (UUID derived UID), RFC 9562 section 5.5.
    """
    name = json.dumps([str(part) for part in parts], ensure_ascii=True, separators=(",", ":"))
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"
