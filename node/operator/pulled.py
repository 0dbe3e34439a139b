"""What the conformance statement says of sources: Query/Retrieve SCU, QIDO-RS and WADO-RS agent."""

from node.config import PullConfig
from node.operator.markdown import table

_KEYS = (
    (
        "SERIES",
        "Study Instance UID",
        "Series Instance UID, Modality, Number of Series Related Instances",
    ),
    ("IMAGE", "Study and Series Instance UID", "SOP Instance UID"),
    ("STUDY (`m3node fetch --accession`)", "Accession Number", "Study Instance UID"),
)
_ANSWERS = (
    (
        "sends what is of another study, or names another patient, or was not asked for (not over "
        "C-MOVE)",
        "answered with A900 (C-GET), not kept, said in the report",
    ),
    ("sends what is here already", "what is here stays"),
    ("counts more than it sends, or sends more than it counts", "said in the report"),
    (
        "is down, rejects, answers with an error, is silent or too slow",
        "tried again; then the study goes on without it, and the report says so",
    ),
    ("sends without end", "cut off; the fetch is dead"),
)


def query_retrieve_scu() -> list[str]:
    """What is asked of a source, what it may send, and what comes of its answers."""
    pull = PullConfig()
    return [
        "## Query/Retrieve SCU, and DICOMweb user agent for retrieval",
        "",
        "With `[[sources]]`, for a study with an annotation of a nodule: what the source lists of "
        "the study is compared with what is here, and the images of the CT series that are not "
        "here are retrieved. The report says how many of how many are here. Nothing is asked of a "
        "source without a study's need or a person's wish, and the same only once; a study gets at "
        f"most {pull.max_fetches} fetches by itself (`pull.max_fetches`), each of at most "
        f"{pull.max_attempts} tries (`pull.max_attempts`).",
        "",
        "Over DIMSE: Study Root Query/Retrieve Information Model, FIND "
        "(1.2.840.10008.5.1.4.1.2.2.1), and GET (1.2.840.10008.5.1.4.1.2.2.3) or MOVE "
        "(1.2.840.10008.5.1.4.1.2.2.2) as `sources.retrieve` says; Verification by `m3node check`. "
        "No relational queries, no Patient Root.",
        "",
        *table(("C-FIND at level", "Matching", "Asked for"), _KEYS),
        "",
        "C-GET and C-MOVE at level SERIES, or at level IMAGE with lists of SOP Instance UIDs. For "
        "C-GET this node proposes itself as SCP (role selection) of the storage classes that it "
        "reads, CT in each transfer syntax that it decodes; an object is held in memory, and may "
        "have 1 GiB. For C-MOVE the destination is `sources.calling_ae_title`: objects come to the "
        "receiver like any others.",
        "",
        "Over DICOMweb: QIDO-RS for series and instances in DICOM JSON, page by page; WADO-RS for "
        'instances and series as `multipart/related; type="application/dicom"; transfer-syntax=*`.',
        "",
        *table(("What a source does", "What comes of it"), _ANSWERS),
        "",
    ]
