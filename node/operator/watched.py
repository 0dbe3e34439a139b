"""What the conformance statement says of UPS-RS, by which analyses are watched."""

from pydicom.datadict import keyword_for_tag

from node.dicom.work_items import KEYS, MOST_WORK_ITEMS, STATES, WORKLIST_LABEL
from node.operator.markdown import table


def ups_rs() -> list[str]:
    """The section."""
    keys = ", ".join(
        " > ".join(keyword_for_tag(tag) for tag in path if tag is not None) for path in KEYS
    )
    return [
        "## UPS-RS origin server (PS3.18 11): work items to watch",
        "",
        "Below `/dicom-web`: `GET /workitems`, `GET /workitems/{uid}` and "
        "`POST /workitems/{uid}/cancelrequest`. Every analysis is a work item of the worklist "
        f'"{WORKLIST_LABEL}", made by the node when a study has come; clients neither create nor '
        "change them. There is no subscription and no event: a client that wants to know asks "
        "again, every few seconds at most.",
        "",
        *table(
            ("Job", "Procedure Step State"),
            ((str(state), name) for state, name in STATES.items()),
        ),
        "",
        f"Matched, by single values or lists: {keys}. Other keys are ignored and named in a "
        f"Warning header. At most {MOST_WORK_ITEMS} are answered at once, the newest first; "
        "`limit` and `offset` page. The answer has all attributes, whatever is asked for.",
        "",
        "Output Information names the results while they are in force. What is dead is CANCELED "
        "with the reason; an operator may requeue it, and then the same work item is SCHEDULED "
        "again. Only what is SCHEDULED is cancelled on request (202, else 409), and only by "
        "addresses in `receiver.allowed_peers`, or with a sender's token; the diary and "
        "`m3node job list` say so.",
        "",
    ]
