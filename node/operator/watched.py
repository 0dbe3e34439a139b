"""What the conformance statement says of UPS-RS: analyses are watched and asked for."""

from pydicom.datadict import keyword_for_tag

from node.dicom.work_items import KEYS, MOST_BYTES, MOST_WORK_ITEMS, STATES, WORKLIST_LABEL
from node.operator.markdown import table


def ups_rs() -> list[str]:
    """The section."""
    keys = ", ".join(
        " > ".join(keyword_for_tag(tag) for tag in path if tag is not None) for path in KEYS
    )
    return [
        "## UPS-RS origin server (PS3.18 11): work items to create and to watch",
        "",
        "Below `/dicom-web`: `GET /workitems`, `POST /workitems`, `GET /workitems/{uid}` and "
        "`POST /workitems/{uid}/cancelrequest`. Every analysis is a work item of the worklist "
        f'"{WORKLIST_LABEL}", made by the node when a study has come, or created by a client that '
        "names a study. Work items are neither changed nor taken by clients: the node performs "
        "them. There is no subscription and no event: a client that wants to know asks again, "
        "every few seconds at most.",
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
        *_created(),
    ]


def _created() -> list[str]:
    return [
        "**Create** (PS3.18 11.4), for the same addresses: one data set of at most "
        f"{MOST_BYTES >> 20} MiB in `application/dicom+json`. Its UID stands in the query "
        "(`?1.2.3`, `?workitem=1.2.3` or `?AffectedSOPInstanceUID=1.2.3`) or as SOP Instance UID "
        "in the data set; without one the node gives it one. 201 names it in Location. 400: "
        "Procedure Step State is not SCHEDULED, Transaction UID has a value, Input Information "
        "has no item or names several studies, a UID is none, what is read has another VR. 409: "
        "the UID is taken, what is here of the study has another Patient ID, or the study cannot "
        "be had. 415: another media type.",
        "",
        "Read are those attributes, Patient ID, and of each input Study Instance UID, Retrieve URL "
        "(WADO-RS) and Retrieve AE Title. Which series is judged, and which nodules, follows from "
        "the annotations of the study; the Scheduled Workitem Code is not read, and the Warning "
        "header says that what is kept is the node's. A Retrieve URL or AE title chooses among "
        "the configured `[[sources]]`, or is this node's own; no other address is ever called. "
        "The source is asked for all CT series and annotations of the study; what it is being "
        "asked already is waited for. Without either, a study of which something is here is judged "
        "as it is, any other is asked for at the first source.",
        "",
        "Until there is a job the work item is SCHEDULED, with Input Readiness State INCOMPLETE, "
        "and Progress Description says what it waits for. From then on it is the job, with its "
        "state and results, under the client's UID; several may share a job, and the job's own "
        "UID answers too. An analysis that is there already is taken; one that is dead or was "
        "cancelled is queued again. The work item is CANCELED for good if its source fails or "
        "holds nothing and no job comes of what is here, or if nothing in the study is for this "
        "node. If it is cancelled on request, what was asked of a source for it alone is withdrawn "
        "unless it has begun.",
        "",
    ]
