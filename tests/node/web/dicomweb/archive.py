"""A small archive to search in: three studies of three patients, one of them analysed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID, SegmentationStorage

from m3net.uids import StudyInstanceUID
from node.config import ReceiverConfig
from node.core.inputs import Intent, StudyInputs
from node.inbound.reading import Reading
from node.persistence.rows import JobResult, JobTerms, Outbox
from node.web.services import Services
from node.work.worker import store_artifact
from sr_templates.findings import Outcome
from tests.node.objects import ct_image
from tests.node.web.dicomweb.keeping import keep
from tests.node.web.serving import Served, serving
from tests.results import one_set

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MUELLER, YAMADA, DOE = "1.2.3", "1.2.4", "1.2.5"
"""Studies, the newest first."""


def _request(step: str, procedure: str) -> Dataset:
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
    return item


MUELLERS = [
    ct_image(
        number,
        StudyTime="101500.25",
        StudyDescription="CT Thorax [low dose]",
        ReferringPhysicianName="House^Gregory",
        PatientBirthDate="19610704",
        PatientSex="M",
        StudyID="S-1",
        TimezoneOffsetFromUTC="+0100",
        SeriesDate="20260301",
        SeriesTime="101530",
        SeriesDescription="Thorax 2.5",
        StationName="CT1",
        BodyPartExamined="CHEST",
        PerformedProcedureStepStartDate="20260301",
        PerformedProcedureStepStartTime="101500",
        RequestAttributesSequence=[_request("SPS1", "RP1")],
        InstanceNumber=number + 1,
    )
    for number in range(3)
]
YAMADAS = [
    ct_image(
        0,
        SpecificCharacterSet="ISO_IR 192",
        StudyInstanceUID=YAMADA,
        SeriesInstanceUID=f"{YAMADA}.{number}",
        SOPInstanceUID=f"{YAMADA}.{number}.1",
        SOPClassUID=sop_class,
        Modality=modality,
        PatientName="Yamada^Tarou=山田^太郎",
        PatientID="P_2%",
        AccessionNumber="",
        StudyDate="20260215",
        StudyTime="0815",
        SeriesNumber=number,
    )
    for number, modality, sop_class in (
        (1, "CT", UID("1.2.840.10008.5.1.4.1.1.2")),
        (2, "SEG", SegmentationStorage),
    )
]
DOES = [
    ct_image(
        0,
        StudyInstanceUID=DOE,
        SeriesInstanceUID=f"{DOE}.1",
        SOPInstanceUID=f"{DOE}.1.1",
        PatientName="DOE^JOHN",
        PatientID="p_2%",
        AccessionNumber="A*17",
        StudyDate="2020.12.31",
        StudyTime="235959",
        PatientSex="O",
    )
]


def analysed(services: Services, study: str, *, revision: int = 1) -> list[Dataset]:
    """A job of the study is done; its objects: a capture of three frames, and its report."""
    artifacts = one_set()
    for each in artifacts:
        dataset = each.dataset
        dataset.StudyInstanceUID = study
        dataset.SeriesInstanceUID = f"{dataset.SeriesInstanceUID}.{revision}"
        dataset.SOPInstanceUID = UID(f"{dataset.SOPInstanceUID}.{revision}")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.SeriesNumber, dataset.InstanceNumber = 1000 + revision, 1
    services.store.enqueue(
        StudyInputs(
            study_instance_uid=StudyInstanceUID(study),
            intent=Intent.REPORT_NOT_ANNOTATED,
            series=None,
            ct=(),
            annotations=(),
        ),
        digest=f"d{revision}",
        terms=JobTerms(analysis_id="a", max_attempts=3),
        now=NOON,
    )
    lease = services.store.claim_job(owner="host:1:1", lease_s=60, now=NOON)
    assert lease is not None
    services.store.finish_job(
        lease,
        result=JobResult(
            outcome=Outcome.ANALYSED,
            headline="one nodule",
            summary={},
            artifacts=[store_artifact(each, services.spool) for each in artifacts],
        ),
        outbox=Outbox(destinations=(), max_attempts=1),
        now=NOON,
    )
    return [each.dataset for each in artifacts]


def read_what_came(services: Services) -> None:
    """As the scheduler does."""
    reading = Reading(services.store, services.spool, config=ReceiverConfig())
    reading.read(within_s=60)


@contextmanager
def archive(folder: Path, **options: Any) -> Iterator[Served]:
    """Served within the block."""
    with serving(folder, **options) as served:
        keep(served, [*DOES, *YAMADAS, *MUELLERS], folder)
        read_what_came(served.services)
        analysed(served.services, MUELLER)
        yield served
