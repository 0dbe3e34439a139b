"""The objects of one delivery in the form that its destination takes, stored or derived.

What is derived is derived anew for every try: it is the same object, byte for byte, under the same
UID, so nothing of it needs to be kept but what the destination has confirmed.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
)

from m3net.uids import SOPClassUID
from node.core import uids
from node.core.errors import DestinationRefused
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.variants import RICHEST, Form, choose, form_of
from node.outbound.destination import OutgoingObject
from node.persistence.rows import DeliveryLease, SentObject, StoredArtifact
from node.persistence.spool import Spool
from sr_templates.findings import ImageReference
from sr_templates.objects.poorer import SINGLE_FRAME_CLASS, frame_alone, frames_alone, report_in

_REPORT_CLASSES: Mapping[ReportVariant, SOPClassUID] = {
    ReportVariant.COMPREHENSIVE_3D: SOPClassUID(Comprehensive3DSRStorage),
    ReportVariant.COMPREHENSIVE: SOPClassUID(ComprehensiveSRStorage),
}


def objects_in(
    form: Form, lease: DeliveryLease, spool: Spool, *, companions: Collection[ArtifactKind] = ()
) -> list[OutgoingObject]:
    """What is sent, in the order of sending: captures, companions, and the report last.

    Raises DestinationRefused if the form cannot be had, or a stored object is gone.
    """
    chosen = choose(lease.artifacts, form, companions)
    captures = [_stored(each, spool) for each in chosen.captures]
    others = [_stored(each, spool) for each in chosen.companions]
    report = _stored(chosen.report, spool)
    if not chosen.derive:
        return [*captures, *others, report]
    instead: dict[str, list[OutgoingObject]] = {}
    if form.captures is CaptureVariant.SINGLE_FRAME:
        instead = {
            each.sop_instance_uid: _frames_alone(each, spool.locate(stored.path))
            for each, stored in zip(captures, chosen.captures, strict=True)
        }
        captures = [frame for frames in instead.values() for frame in frames]
    return [*captures, *others, _report(report, form, lease, instead)]


def _stored(artifact: StoredArtifact, spool: Spool) -> OutgoingObject:
    path = spool.locate(artifact.path)
    if not path.exists():
        raise DestinationRefused(
            f"the stored result {artifact.sop_instance_uid} is gone from this node's storage; "
            "requeue the job"
        )
    return OutgoingObject(
        sent=SentObject(
            kind=artifact.kind,
            sop_class_uid=artifact.sop_class_uid,
            sop_instance_uid=artifact.sop_instance_uid,
            series_instance_uid=artifact.series_instance_uid,
        ),
        transfer_syntax_uid=UID(read_file_meta_info(path).TransferSyntaxUID),
        read=partial(dcmread, path),
        path=path,
    )


def _frames_alone(capture: OutgoingObject, path: Path) -> list[OutgoingObject]:
    def derived(frame: int) -> OutgoingObject:
        uid = uids.frame_uid(capture.sent.sop_instance_uid, frame)
        return OutgoingObject(
            sent=SentObject(
                kind=ArtifactKind.CAPTURE,
                sop_class_uid=SOPClassUID(SINGLE_FRAME_CLASS),
                sop_instance_uid=uid,
                series_instance_uid=capture.sent.series_instance_uid,
            ),
            transfer_syntax_uid=capture.transfer_syntax_uid,
            read=lambda: frame_alone(capture.read(), frame, sop_instance_uid=uid),
        )

    return [derived(frame) for frame in frames_alone(dcmread(path, stop_before_pixels=True))]


def _report(
    richest: OutgoingObject,
    form: Form,
    lease: DeliveryLease,
    instead: Mapping[str, Iterable[OutgoingObject]],
) -> OutgoingObject:
    sent = SentObject(
        kind=ArtifactKind.REPORT,
        sop_class_uid=_REPORT_CLASSES[form.report],
        sop_instance_uid=uids.report_uid_in(
            richest.sent.sop_instance_uid, variant=form.report, captures=form.captures
        ),
        series_instance_uid=richest.sent.series_instance_uid,
    )

    def read() -> Dataset:
        return report_in(
            richest.read(),
            sop_class_uid=sent.sop_class_uid,
            sop_instance_uid=sent.sop_instance_uid,
            instead={
                capture: [_reference(frame.sent) for frame in frames]
                for capture, frames in instead.items()
            },
            predecessor=_predecessor(form, lease),
        )

    return OutgoingObject(sent=sent, transfer_syntax_uid=ExplicitVRLittleEndian, read=read)


def _predecessor(form: Form, lease: DeliveryLease) -> ImageReference | None:
    """The report before in this form: as it was stored, else as it was derived."""
    reports = {form_of(a): a for a in lease.predecessor if a.kind is ArtifactKind.REPORT}
    if form in reports:
        return _reference(reports[form])
    if RICHEST in reports:
        return ImageReference(
            sop_class_uid=_REPORT_CLASSES[form.report],
            sop_instance_uid=uids.report_uid_in(
                reports[RICHEST].sop_instance_uid, variant=form.report, captures=form.captures
            ),
        )
    return next((_reference(each) for each in reports.values()), None)


def _reference(to: SentObject | StoredArtifact) -> ImageReference:
    return ImageReference(sop_class_uid=to.sop_class_uid, sop_instance_uid=to.sop_instance_uid)
