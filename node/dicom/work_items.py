"""Unified Procedure Steps: states, what is matched, and limits (PS3.4 CC, PS3.18 11)."""

from collections.abc import Mapping

from node.core.states import State

STATES: Mapping[State, str] = {
    State.QUEUED: "SCHEDULED",
    State.RUNNING: "IN PROGRESS",
    State.DONE: "COMPLETED",
    State.DEAD: "CANCELED",
    State.CANCELLED: "CANCELED",
}
"""What a client reads of a job's state (PS3.4 CC.1.1)."""
WORKLIST_LABEL = "m3node"
MOST_WORK_ITEMS = 200
"""Of one answer."""
MOST_BYTES = 1 << 20
"""Of one that a client creates; one that names 5,000 instances has 900,000."""
_REQUEST = 0x0040A370
KEYS: Mapping[tuple[int | None, ...], str] = {
    (0x00741000,): "states",
    (0x00080018,): "uids",
    (0x0020000D,): "studies",
    (_REQUEST, 0x0020000D): "studies",
    (0x00080050,): "accession_number",
    (_REQUEST, 0x00080050): "accession_number",
    (0x00100020,): "patient_id",
}
"""What is matched: by tag, or within the Referenced Request Sequence."""
