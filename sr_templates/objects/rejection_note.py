"""Earlier results, rejected: an Image Rejection Note (IHE RAD TF-2 4.66, profile IOCM).

A Key Object Selection under one of the four titles by which an Image Manager takes objects out of
use.  For results that a newer set replaces it is (113037, DCM, "Rejected for Patient Safety
Reasons"), which hides them wherever the profile is spoken:

- they may name the wrong patient, or hold a number that no longer holds; a reader who meets them
  beside the right ones may take them for right, and that is what the title is for;
- (113001) Rejected for Quality Reasons leaves it to each archive's configuration whether they are
  still shown, so both sets might stand side by side;
- (113038) Incorrect Modality Worklist Entry names a cause that is not the cause;
- (113039) Data Retention Policy Expired lets the archive delete them, and with them the evidence of
  what was once reported.  It is for an archive's rules, never for ours.

Of an archive that does not speak the profile the note is one more key image note, which says in its
description what it is.
"""

from collections.abc import Sequence

from pydicom import Dataset

from sr_templates import codes
from sr_templates.findings import Algorithm, ObjectIdentity, PredecessorReference
from sr_templates.objects.documents import header_of
from sr_templates.objects.key_objects import build_selection, composite_or_image
from sr_templates.spoken import counted

SERIES_DESCRIPTION = "AI results rejected as superseded (research use)"


def build_rejection_note(
    superseded: Sequence[PredecessorReference],
    *,
    subject: Dataset,
    algorithm: Algorithm,
    identity: ObjectIdentity,
) -> Dataset:
    """The note that rejects these objects; the same arguments, the same bytes.

    superseded : every object of the earlier results that the receiver holds, captures as well
    subject    : header whose patient and study it belongs to: those of the rejected objects

    Raises ValueError if there is none.
    """
    if not superseded:
        raise ValueError("nothing is superseded: there is nothing to reject")
    number = len(superseded)
    are, them = ("is", "it") if number == 1 else ("are", "them")
    return build_selection(
        title=codes.REJECTED_FOR_PATIENT_SAFETY,
        description=(
            f"{counted(number, 'object')} of an earlier AI result {are} rejected: a newer result "
            f"replaces {them}."
        ),
        items=[
            composite_or_image(each.sop_class_uid, each.sop_instance_uid) for each in superseded
        ],
        evidence=[header_of(each) for each in superseded],
        series_description=SERIES_DESCRIPTION,
        subject=subject,
        algorithm=algorithm,
        identity=identity,
    )
