"""What the conformance statement says of what goes out: the Storage SCU and the STOW-RS agent."""

from collections.abc import Collection
from dataclasses import fields

from pydicom.uid import UID

from node.config import PROFILES, DeliveryConfig, Profile, toml_value
from node.dicom import statuses
from node.dicom.compression import COMPRESSED
from node.operator.markdown import table

_RESULT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.88.34": "report, tried first",
    "1.2.840.10008.5.1.4.1.1.88.33": "report, where the destination rejects the former",
    "1.2.840.10008.5.1.4.1.1.7.4": "capture, one a nodule, one a page of all; tried first",
    "1.2.840.10008.5.1.4.1.1.7": "capture, its first and its key frame, where that one is rejected",
    "1.2.840.10008.5.1.4.1.1.11.1": 'companion "presentation_state"',
    "1.2.840.10008.5.1.4.1.1.88.59": 'companion "key_objects", and the rejection note',
    "1.2.840.10008.5.1.4.1.1.104.1": 'companion "pdf"',
    "1.2.840.10008.5.1.4.1.1.30": 'companion "parametric_map"',
}

_COMPANIONS = (
    (
        "presentation_state",
        "each nodule's outline or circle on its key slice, with its number, in PIXEL units; "
        "Modality LUT to HU, lung window (-600 / 1500 HU), whole image; one object a CT series and "
        "rescale. dcmtk's viewers open no presentation state without a Patient's Name",
    ),
    (
        "key_objects",
        "TID 2010, (113000, DCM, Of Interest): the key slices, or frames, in the order of the "
        "report, with the numbers as description",
    ),
    (
        "pdf",
        "the report's words and pictures on A4 pages. Every page names the patient, so Burned In "
        "Annotation is YES; a name that Windows-1252 cannot write stands in the header alone",
    ),
    (
        "parametric_map",
        "one object a nodule and scale: 32 bit floats in [0, 1] on the patch's own grid, in the "
        "CT's Frame of Reference; quantity (130403, DCM, Gradient-weighted class activation), "
        "unit 1",
    ),
    (
        "(rejection note)",
        "TID 2010, (113037, DCM, Rejected for Patient Safety Reasons): hides superseded results; "
        "113039 would let an archive delete the evidence of what was once reported, and 113001 "
        "leaves it to the archive whether they are still shown",
    ),
)


def storage_scu() -> list[str]:
    """What is sent, in which form and order, and what an answer means."""
    delivery = DeliveryConfig()
    return [
        "## Storage SCU",
        "",
        *table(
            ("SOP class", "UID", "Used for"),
            [(UID(uid).name, uid, use) for uid, use in _RESULT_CLASSES.items()],
        ),
        "",
        "One association a delivery, called by `destinations.calling_ae_title`; one presentation "
        "context a class, with Explicit and Implicit VR Little Endian, and one more for captures, "
        f"with {COMPRESSED.name} ({COMPRESSED}) alone, unless `destinations.compression` is "
        '"never". A capture goes out compressed where that context is accepted, else uncompressed '
        "with the very same pixels. Captures are sent first, then what the destination asks for "
        "beside them (`destinations.companions`; what it does not take is left out), and the "
        "report last.",
        "",
        "A job writes Comprehensive 3D SR and multi-frame captures; the other two classes are "
        "derived from them when a destination needs them, under UIDs of their own that stay the "
        "same however often they are derived.",
        "",
        "### Companions",
        "",
        "A companion refers to the CT alone, and stands in a series of its own behind the "
        "report's. A study in which no nodule was judged has the document alone.",
        "",
        *table(("`companions`", "What it is"), _COMPANIONS),
        "",
        "### Profiles",
        "",
        "`destinations.profile` decides the settings that a destination leaves out. Behind an "
        "archive that keeps objects as they come, a viewer that decodes no JPEG-LS (dwv is one) "
        'needs `compression = "never"`.',
        "",
        *_profiles(),
        "",
        *table(
            ("Answer", "Taken as"),
            [
                (_listed(statuses.STORED), "stored"),
                (
                    f"{_listed(statuses.CLASS_NOT_SUPPORTED)}, or the context is rejected",
                    "class not supported: the next poorer form",
                ),
                (
                    f"{_listed(statuses.NO_ROOM)}; no answer in time; abort, connection refused, "
                    "reset or lost; name not found; association rejected (transient)",
                    "transient: tried again soon",
                ),
                (
                    "association rejected (permanent): AE titles not recognised, no reason given; "
                    "an answer that is no DICOM (HTTP, TLS); 0110, 0124, 0210, C001 and every "
                    "status that stands in no other row",
                    "often passing: tried again slowly; an object that is not kept at the try "
                    "after which the pause is the longest is sent in the next poorer form, if "
                    "there is one",
                ),
                (
                    "a warning that is none of storage (0001, 0107, 0116, other Bxxx)",
                    "not known whether it is stored: sent again slowly",
                ),
                ("a compressed capture is not taken", "sent once more uncompressed"),
                (
                    "a companion is refused for good, or at the last try",
                    "left out; the diary says so",
                ),
                (
                    _listed(statuses.REFUSED),
                    "permanent: the delivery is dead and waits for a person",
                ),
            ],
        ),
        "",
        "With `destinations.reject_superseded` a rejection note follows once the report is "
        "stored: it names the objects of earlier results of the study that this destination may "
        "hold and no note has rejected: what it has confirmed, and what was being sent when the "
        "connection was lost. So it does report and captures of the same result in another form, "
        "where the destination was set up otherwise meanwhile; without it both forms stay there. "
        "A report of a technical failure rejects nothing.",
        "",
        f"Up to {delivery.max_attempts} tries (`delivery.max_attempts`), then the delivery is "
        "dead, an error in the log. Pauses are doubled, with jitter: of a transient failure from "
        f"{delivery.retry_base_s:g} s to {delivery.retry_cap_s:g} s (`retry_base_s`, "
        f"`retry_cap_s`), of one that is often passing from {delivery.not_ready_base_s:g} s to "
        f"{delivery.not_ready_cap_s:g} s (`not_ready_base_s`, `not_ready_cap_s`). From the try on "
        "after which the pause is the longest, each that fails is an error in the log. "
        "`m3node why` and `m3node delivery list` say what a delivery waits for, and until when.",
        "",
        "The sending of one object, answer included, is broken off after two `timeout_s` and its "
        "size at `slowest_kb_s`; of an answer at most 1 MiB is read.",
        "",
    ]


def _listed(numbers: Collection[int]) -> str:
    """Statuses in hexadecimal, a whole block of them in one."""
    blocks = {n & 0xFF00 for n in numbers if all((n & 0xFF00) + k in numbers for k in range(256))}
    single = [f"{n:04X}" for n in numbers if n & 0xFF00 not in blocks]
    return ", ".join(sorted([*single, *(f"{block >> 8:02X}xx" for block in blocks)]))


def _profiles() -> list[str]:
    keys = [field.name for field in fields(Profile)]
    return table(
        ("Profile", *(f"`{key}`" for key in keys)),
        [
            (name, *(toml_value(getattr(profile, key)) for key in keys))
            for name, profile in PROFILES.items()
        ],
    )


def stow_agent() -> list[str]:
    """How the same goes out over HTTP."""
    return [
        "## STOW-RS user agent",
        "",
        "`POST {url}/studies`, one instance a request, multipart/related of application/dicom in "
        f"Explicit VR Little Endian, captures in {COMPRESSED.name}; a capture that is refused so "
        '(unless as an unknown class), and all after it, or with `compression = "never"`, in '
        "Explicit VR Little Endian. The answer is asked for as application/dicom+json and read "
        "for that instance: as JSON, an array of JSON, XML or multipart/related of either, "
        "whatever its media type; at most 1 MiB of it.",
        "",
        *table(
            ("Answer", "Taken as"),
            [
                ("2xx, instance in Referenced SOP Sequence (0008,1199)", "stored"),
                ("200 with an empty body", "stored"),
                (
                    "instance in Failed SOP Sequence (0008,1198), whatever the HTTP status",
                    "its Failure Reason, as the status of a C-STORE above",
                ),
                (
                    "... with reason 0111, 45070 (Azure), or 0110 that Google says is of one that "
                    "already exists; 409 with Google's error ALREADY_EXISTS",
                    "stored: our UIDs are derived from the content",
                ),
                (
                    "... with reason 45071 (Azure: being created)",
                    "often passing: tried again slowly",
                ),
                (
                    "408, 425, 429, 5xx, no answer in time",
                    "transient: tried again soon, but not before Retry-After (an hour at most)",
                ),
                (
                    "401, 403, 407, 511; 404, 405, 410; 409 without a list; every other 4xx; "
                    "redirects, which are not followed; a web page whatever its status; TLS that "
                    "fails",
                    "often passing: tried again slowly (headers_file is read anew for each try)",
                ),
                (
                    "2xx that does not name the instance, 202 and 204 without a body, an answer "
                    "that cannot be read",
                    "not known whether it is stored: sent again slowly",
                ),
                ("400, 406, 413, 414, 415, 422", "permanent"),
            ],
        ),
        "",
        "`m3node echo` asks `GET {url}/studies?limit=1`.",
        "",
    ]
