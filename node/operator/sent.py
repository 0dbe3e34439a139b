"""What the conformance statement says of what goes out: the Storage SCU and the STOW-RS agent."""

from dataclasses import fields

from pydicom.uid import UID

from node.config import PROFILES, DeliveryConfig, Profile, toml_value
from node.dicom.compression import COMPRESSED
from node.dicom.statuses import STORED
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
    stored = ", ".join(f"{status:04X}" for status in sorted(STORED))
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
                (stored, "stored"),
                ("0122, or the context is rejected", "class not supported: the next poorer form"),
                ("A7xx, no answer in timeout_s, abort, connection lost", "transient: tried again"),
                ("association rejected (transient)", "transient: tried again"),
                ("a companion is refused", "left out; the diary says so"),
                ("a compressed capture is refused otherwise", "sent once more uncompressed"),
                ("everything else", "permanent: the delivery is dead and waits for a person"),
            ],
        ),
        "",
        "With `destinations.reject_superseded` a rejection note follows once the report is "
        "stored: it names the objects of earlier results of the study that this destination has "
        "confirmed and no note has rejected. A report of a technical failure rejects nothing.",
        "",
        f"Transient failures: up to {delivery.max_attempts} tries, pauses doubled from "
        f"{delivery.retry_base_s:g} s to {delivery.retry_cap_s:g} s, with jitter "
        "(`delivery.max_attempts`, `retry_base_s`, `retry_cap_s`).",
        "",
    ]


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
        "for that instance.",
        "",
        *table(
            ("Answer", "Taken as"),
            [
                ("instance in Referenced SOP Sequence (0008,1199)", "stored"),
                ("200 with an empty body", "stored"),
                (
                    "instance in Failed SOP Sequence (0008,1198), whatever the HTTP status",
                    "its Failure Reason, as the status of a C-STORE above",
                ),
                ("408, 429, 5xx, no answer in timeout_s", "transient: tried again"),
                ("redirects, other 4xx, 2xx that does not name the instance", "permanent"),
            ],
        ),
        "",
        "`m3node echo` asks `GET {url}/studies?limit=1`.",
        "",
    ]
