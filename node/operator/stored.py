"""What the conformance statement says of the web server as a whole, and of STOW-RS."""

from node.config import ReceiverConfig, WebConfig
from node.dicom.limits import (
    LONGEST_NEGOTIATION_S,
    MOST_CONNECTIONS,
    MOST_HEAD_BYTES,
    MOST_PARTS,
    SLOWEST_BYTES_S,
)
from node.dicom.multipart import MOST_BOUNDARY, MOST_HEADER
from node.operator.markdown import table


def web_server() -> list[str]:
    """What holds of every request."""
    web, receiver = WebConfig(), ReceiverConfig()
    limits = [
        ("Address", "web.host, web.port", f"{web.host}:{web.port}"),
        ("Addresses that need no token", "web.allowed_peers", "this machine, without users"),
        ("Origins of pages that may read answers", "web.allowed_origins", "none"),
        ("Connections", "(fixed)", f"{MOST_CONNECTIONS}; the one idle for longest gives way"),
        ("Head of a request, bytes", "(fixed)", MOST_HEAD_BYTES),
        ("A head has to be whole within, s", "the next, at most", LONGEST_NEGOTIATION_S),
        (
            "Silence in a body or an answer, s",
            "receiver.network_timeout_s",
            receiver.network_timeout_s,
        ),
        ("Slowest body, and slowest reader, KiB/s", "(fixed)", SLOWEST_BYTES_S >> 10),
    ]
    return [
        "## DICOMweb origin server",
        "",
        "HTTP/1.1, over TLS 1.2 or newer if `web.certificate_file` is set; base address "
        "`/dicom-web`. Who is not let in by address shows a bearer token (RFC 6750) of "
        "`m3node token`, or a session of the page's: viewers read, senders store, operators both "
        "(401 without, 403 with another role). `/healthz`: the web process lives; `/readyz`: an "
        "object that came now would be kept.",
        "",
        *table(("Limit", "Setting", "Default"), limits),
        "",
        'An error is answered with `{"status": ..., "error": ...}` (or text, if that is accepted) '
        "in words that repeat nothing of the request. The Host header is used for the addresses in "
        "answers; a browser that names another host than this machine's, `web.public_url`'s or "
        "`web.host_names` to a node on 127.0.0.1 is answered with 421.",
        "",
    ]


def stow_server() -> list[str]:
    """How objects are stored over the web."""
    receiver = ReceiverConfig()
    limits = [
        (
            "Requests that store at the same time, in all and of one address",
            "receiver.max_associations, max_associations_of_one_peer",
            f"{receiver.max_associations}, {receiver.most_of_one_peer}",
        ),
        ("Addresses that may store without a token", "receiver.allowed_peers", "all"),
        ("Storage classes", "receiver.accept", receiver.accept),
        ("Largest object, inflated, MiB", "receiver.max_object_mb", receiver.max_object_mb),
        ("Parts of a request", "(fixed)", MOST_PARTS),
        (
            "Header of a part, bytes; boundary, characters",
            "(fixed)",
            f"{MOST_HEADER}, {MOST_BOUNDARY}",
        ),
    ]
    statuses = [
        ("200", "every object is stored, safe against power loss"),
        ("202", "some are; the others stand in the answer with their Failure Reasons"),
        (
            "400",
            "no multipart body, none with a part, or one that is cut off; objects that came whole "
            "before are stored",
        ),
        ("403", "the address is not in receiver.allowed_peers, and no token of a sender is shown"),
        ("409", "none is stored, for reasons that the client has to cure, or for several"),
        (
            "413",
            "none is, all being too large; or the body went on long after that, or has too many "
            "parts, and was not read to its end",
        ),
        ("415", "another Content-Type, or a Content-Encoding"),
        ("503", "database or disk fail, or too many store at the same time: send again"),
        ("507", "none is stored, the disk being full"),
    ]
    reasons = [
        ("A700", "too little free space, or the database or disk failed"),
        ("A900", "of another study than the address names"),
        (
            "C000",
            "cannot be read as far as its identifiers, lacks one of them, does not inflate, is too "
            "large, is empty, or is no DICOM",
        ),
        ("C122", "transfer syntax that no association would agree on"),
        ("0110", "unexpected error in this node"),
        ("0122", "storage class that receiver.accept leaves out"),
    ]
    return [
        "## STOW-RS origin server (PS3.18 10.5)",
        "",
        "`POST /studies` and `POST /studies/{study}` with `multipart/related; "
        'type="application/dicom"`, or with one object as `application/dicom`. Parts are files '
        "(PS3.10), or bare Data Sets whose transfer syntax the part's Content-Type names; what "
        "File Meta lacks is taken from the Data Set. They go the way of a C-STORE: stored as they "
        "came, the same object again changes nothing, and until the request ends no study is "
        "complete that it brought something to. Metadata with bulk data (`application/dicom+json`, "
        "`+xml`) are not stored.",
        "",
        *table(("Limit", "Setting", "Default"), limits),
        "",
        "The answer is a Store Instances Response Module in `application/dicom+json` or, if that "
        "is preferred, `application/dicom+xml`. Failures of objects that could not be identified "
        "stand in the Other Failures Sequence (0008,119A). A Warning header says the reasons in "
        "words.",
        "",
        *table(("Status", "Meaning"), statuses),
        "",
        *table(("Failure Reason", "Meaning"), reasons),
        "",
    ]
