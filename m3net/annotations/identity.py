"""Tracking identifiers for nodules whose annotation gives none: derived, never drawn."""

import json
import uuid

_NAMESPACE = uuid.UUID("6c1d3a52-9f5e-5d0c-8a57-0c6f2f2d9b11")


def derived_uid(*parts: str) -> str:
    """A UID that is the same whenever the parts are (PS3.5 B.2, UUID version 5).

    The parts are encoded as a JSON list, so that ("a", "b") and ("ab",) differ.
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, json.dumps(parts)).int}"
