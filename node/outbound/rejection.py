"""Earlier results are hidden where a newer set is stored: a rejection note to that destination.

It names what this destination may hold: what it has confirmed, and what was begun and not answered,
since a connection may be lost after an object was stored.  Of the same report and the same objects
it is the same note, so a try that is broken off between the answer and its being written down sends
it again under the same UID.
"""

from collections.abc import Sequence
from datetime import datetime

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from m3net.uids import SOPClassUID
from node.core import uids
from node.core.results import ArtifactKind
from node.core.series_numbers import BEHIND_THE_REPORT
from node.outbound.destination import OutgoingObject
from node.persistence.rows import DeliveryLease, SentObject
from sr_templates.findings import Algorithm, ObjectIdentity, PredecessorReference
from sr_templates.objects.rejection_note import build_rejection_note


def rejection_note(
    lease: DeliveryLease, report: OutgoingObject, superseded: Sequence[SentObject]
) -> OutgoingObject:
    """The note that hides these objects.

    report : of the newer set, by whose device and at whose time they are rejected
    """
    in_order = sorted(superseded, key=lambda each: each.sop_instance_uid)
    sent = SentObject(
        kind=ArtifactKind.REJECTION_NOTE,
        sop_class_uid=SOPClassUID(KeyObjectSelectionDocumentStorage),
        sop_instance_uid=uids.rejection_uid(
            report.sent.sop_instance_uid, [each.sop_instance_uid for each in in_order]
        ),
        series_instance_uid=uids.result_series_uid(
            lease.study_instance_uid, ArtifactKind.REJECTION_NOTE
        ),
    )

    def read() -> Dataset:
        newer = report.read()
        return build_rejection_note(
            [
                PredecessorReference(
                    study_instance_uid=lease.study_instance_uid,
                    series_instance_uid=each.series_instance_uid,
                    sop_class_uid=each.sop_class_uid,
                    sop_instance_uid=each.sop_instance_uid,
                )
                for each in in_order
            ],
            subject=newer,
            algorithm=_device(newer),
            identity=ObjectIdentity(
                sop_instance_uid=sent.sop_instance_uid,
                series_instance_uid=sent.series_instance_uid,
                series_number=int(newer.SeriesNumber)
                + BEHIND_THE_REPORT[ArtifactKind.REJECTION_NOTE],
                instance_number=int(newer.InstanceNumber),
                at=_made_at(newer),
            ),
        )

    return OutgoingObject(sent=sent, transfer_syntax_uid=ExplicitVRLittleEndian, read=read)


def _device(report: Dataset) -> Algorithm:
    """It is this device that rejects, and no model."""
    return Algorithm(
        name=str(report.ManufacturerModelName),
        version=str(report.SoftwareVersions),
        manufacturer=str(report.Manufacturer),
        parameters=(),
        device_uid=str(report.ContributingEquipmentSequence[0].DeviceUID),
        device_model=str(report.ManufacturerModelName),
        device_serial=str(report.DeviceSerialNumber),
        software_version=str(report.SoftwareVersions),
        trained=True,
    )


def _made_at(report: Dataset) -> datetime:
    text = f"{report.ContentDate}{report.ContentTime}{report.TimezoneOffsetFromUTC}"
    return datetime.strptime(text, "%Y%m%d%H%M%S.%f%z")
