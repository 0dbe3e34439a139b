"""What the conformance statement says of what comes in: the Storage SCP, and what it reads."""

import re

from pydicom.uid import UID
from pynetdicom.sop_class import _STORAGE_CLASSES

from m3net.annotations.coding import Sort, listed_codes
from m3net.annotations.readers import READERS
from m3net.annotations.vocabulary import LANGUAGES
from m3net.ct.enhanced import ENHANCED_CT
from m3net.uids import SOPClassUID
from node.config import ReceiverConfig, StorageConfig, StudyConfig
from node.dicom.elements import MAX_DEPTH, MAX_ELEMENTS
from node.dicom.limits import (
    LONGEST_NEGOTIATION_S,
    MAX_REQUEST_BYTES,
    MOST_REQUESTS,
    MOST_REQUESTS_OF_ONE,
    SLOWEST_BYTES_S,
    TOLERANCE_BYTES,
)
from node.dicom.sop_classes import CT_IMAGE_STORAGE, interpreted, recognised, standard_storage
from node.dicom.transfer_syntaxes import NOT_FILED, REQUIRED
from node.operator.markdown import table
from sr_templates.character_sets import defined_terms

_CODES_READ_AS = {
    Sort.NODULE: "nodule",
    Sort.LESION: "nodule, unless a text makes it something else",
    Sort.GENERIC: "nothing: the texts decide",
    Sort.LUNG: "site of a nodule",
    Sort.OTHER: "no lung nodule",
}


def storage_scp() -> list[str]:
    """How objects are received, and with which limits."""
    receiver, storage, study = ReceiverConfig(), StorageConfig(), StudyConfig()
    syntaxes = [(name, uid) for uid, name in REQUIRED.items()]
    limits = [
        ("AE title", "receiver.ae_title", receiver.ae_title),
        ("Port", "receiver.port", receiver.port),
        ("Port for TLS", "receiver.tls.port", "none; 2762 where there is a receiver.tls"),
        ("Simultaneous associations", "receiver.max_associations", receiver.max_associations),
        (
            "Of one address",
            "receiver.max_associations_of_one_peer",
            f"three quarters: {receiver.most_of_one_peer}",
        ),
        (
            "Unfinished requests, in all and of one address",
            "(fixed)",
            f"{MOST_REQUESTS}, {MOST_REQUESTS_OF_ONE}",
        ),
        ("Largest A-ASSOCIATE-RQ, bytes", "(fixed)", MAX_REQUEST_BYTES),
        ("Largest PDU received, bytes", "receiver.max_pdu_bytes", receiver.max_pdu_bytes),
        ("Largest object, inflated, MiB", "receiver.max_object_mb", receiver.max_object_mb),
        ("Elements and items of an object that is read", "(fixed)", MAX_ELEMENTS),
        ("Levels of sequences of an object that is read", "(fixed)", MAX_DEPTH),
        ("Silence until abort, s", "receiver.network_timeout_s", receiver.network_timeout_s),
        (
            "A request for an association has to be whole within, s",
            "the same, at most",
            LONGEST_NEGOTIATION_S,
        ),
        ("Slowest sender of a PDU or a message, KiB/s", "(fixed)", SLOWEST_BYTES_S >> 10),
        ("Free space kept, GB", "storage.min_free_gb", storage.min_free_gb),
        ("Quiet period of a study, s", "study.quiet_period_s", study.quiet_period_s),
    ]
    return [
        "## Storage SCP",
        "",
        "Objects are stored bit by bit as they came. Status 0000 is sent after the file and its "
        "directory are synced to disk and the row is committed. The same object again changes "
        "nothing; the same SOP Instance UID with other content is kept as a newer version.",
        "",
        *table(("Limit", "Setting", "Default"), limits),
        "",
        *table(("Transfer syntax", "UID"), syntaxes),
        "",
        "Of the transfer syntaxes in a presentation context, the first one proposed that is in "
        "this list is accepted; JPEG Extended only if nothing else of it is proposed, since its "
        "samples of more than 8 bits cannot be decoded here (kept, and reported as not analysed). "
        "Any other transfer syntax of the Standard is accepted where the context proposes none of "
        "these, except those whose Data Set cannot be filed "
        f"({', '.join(sorted(NOT_FILED))}) and private ones: the object is kept, and what should "
        "have been read from it is reported as undecodable. "
        "Asynchronous operations, user identity and extended negotiation are not used; requests "
        "that are sent ahead of an answer are answered in turn. A C-CANCEL is passed over.",
        "",
        f"A PDU that is longer than was agreed upon ({TOLERANCE_BYTES} bytes are tolerated), of a "
        "type that may not come now, with a fragment of no accepted context, with a command within "
        "a Data Set, or with a damaged Command Set is answered with an A-ABORT. What is sent "
        "instead of an A-ASSOCIATE-RQ is not answered.",
        "",
        "An object that holds more elements, or sequences more deeply in one another, than the "
        "table says is kept and answered with 0000; if it marks something or is a CT, the study is "
        "reported as not analysed for that; and so for one whose header is damaged behind its "
        "identifiers. Elements of group 0002 within a Data Set are left out, "
        "which is logged. AE titles that are blank, padded with NUL or not ASCII are accepted, "
        'trimmed, with "?" for each byte that may not stand in one.',
        "",
        *table(
            ("Status", "Meaning"),
            [
                ("0000", "stored, safe against power loss"),
                ("A700", "too little free space, or the database or disk failed: send again"),
                ("A900", "the data set is not of the SOP class or instance that was announced"),
                (
                    "C000",
                    "the data set cannot be read as far as its identifiers (SOP class and "
                    "instance, study, series), lacks one of them, does not inflate, or is too "
                    "large; or the command names no UID",
                ),
                ("0211", "neither C-STORE nor C-ECHO"),
                ("C211", "unexpected error in this node"),
            ],
        ),
        "",
        "A status other than 0000 comes with an Error Comment (0000,0902) that names no patient.",
        "",
        *table(
            ("Association rejected because", "Result / source / reason"),
            [
                ("called AE title not in receiver.allowed_called_ae_titles", "1 / 1 / 7"),
                ("calling AE title not in receiver.allowed_calling_ae_titles", "1 / 1 / 3"),
                ("address not in receiver.allowed_peers", "1 / 1 / 1"),
                ("receiver.max_associations are open, or too many of one address", "2 / 3 / 2"),
                ("another application context than DICOM's", "1 / 1 / 2"),
                ("another protocol version than 1", "1 / 2 / 2"),
                ("the node is stopping", "2 / 3 / 1"),
            ],
        ),
        "",
    ]


def character_sets() -> list[str]:
    """Which are read, and which is written."""
    return [
        "## Character sets",
        "",
        "Read: every defined term of PS3.3 C.12.1.1.2, with and without code extensions: "
        f"{', '.join(defined_terms())}. An item's own Specific Character Set goes before that "
        "around it.",
        "",
        "Results are written in ISO_IR 192, patient and study equal after decoding. Where a text "
        "is not of the character set that the CT declares, or the CT declares none and has text "
        "outside ASCII, the results carry its bytes and its Specific Character Set unchanged, and "
        "their own text is ASCII. `receiver.assumed_character_set` is what senders that declare "
        "none are taken to write.",
        "",
    ]


def sop_classes() -> list[str]:
    """Which are accepted, and what is read of each."""
    read = [(_name(uid), uid, _how_read(uid)) for uid in sorted(interpreted())]
    named = [(_name(uid), uid) for uid in sorted(recognised())]
    rest = sorted(standard_storage() - interpreted() - recognised())
    return [
        "## SOP classes",
        "",
        'With `receiver.accept = "all"` (default) every class below is accepted, and so are '
        "private classes and public ones that are newer than this list. With "
        '`"listed"`: those of the first two tables.',
        "",
        "### Interpreted",
        "",
        *table(("SOP class", "UID", "Read as"), read),
        "",
        "### What is read of annotations",
        "",
        *table(("Object", "A nodule", "Listed, no nodule", "Refused with the reason"), _scopes()),
        "",
        *_codes(),
        '### Recognised and reported as "not supported yet"',
        "",
        *table(("SOP class", "UID"), named),
        "",
        "### Accepted and stored, not interpreted",
        "",
        *table(("SOP class", "UID"), [(_name(uid), uid) for uid in rest]),
        "",
    ]


def _codes() -> list[str]:
    """What of codes and words makes a mark a nodule."""
    rows = [
        (reading, code.value, code.scheme_designator, code.meaning)
        for sort, reading in _CODES_READ_AS.items()
        for code in listed_codes(sort)
    ]
    return [
        "### Codes and words of a mark",
        "",
        "What is drawn is a nodule if its Segmented Property Type, Finding or ROI code says so, "
        "or, where these say nothing, its label, ROI name, tracking identifier or comment. A code "
        "of a public scheme that is not in this table is read by the words of its meaning; SRT "
        "and SCT are one scheme. A coded Anatomic Region or Finding Site that is not the lung or "
        "a part of it takes any nodule away. Words are read in "
        f"{', '.join(LANGUAGES)}: m3net/annotations/words.tsv is the table. What a user typed is "
        "read and never repeated.",
        "",
        *table(("Read as", "Code", "Scheme", "Meaning"), rows),
        "",
    ]


def _name(uid: UID) -> str:
    """The Standard's name; for classes newer than pydicom's dictionary, pynetdicom's keyword."""
    if uid.name != uid:
        return uid.name
    keyword = next((key for key, known in _STORAGE_CLASSES.items() if known == uid), uid)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", keyword)


def _how_read(uid: UID) -> str:
    if uid == CT_IMAGE_STORAGE:
        return "CT"
    if SOPClassUID(uid) in ENHANCED_CT:
        return "CT, its frames as slices; maps, projections and renderings by their type as none"
    return READERS[SOPClassUID(uid)].kind


def _scopes() -> list[tuple[str, str, str, str]]:
    readers = {reader.kind: reader.scope for reader in READERS.values()}
    return [
        (kind, "; ".join(scope.read), "; ".join(scope.listed), "; ".join(scope.refused))
        for kind, scope in readers.items()
    ]
