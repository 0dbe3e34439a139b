"""A command line that a test drives in its own process, over a real store."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.app import job_terms, open_database, open_reading
from node.cli import main
from node.config import load_config
from node.core.completeness import StudyRules, WhenUnannotated
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.persistence.process_identity import this_process
from node.persistence.rows import JobLease, JobResult, Outbox, StoredArtifact
from node.persistence.store import Store
from node.work.planner import Planner
from sr_templates.findings import Outcome


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("M3NODE_CONFIG", raising=False)

    def run(*arguments: str | Path) -> Said:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as left:
            status = int(left.code or 0)
        said = capsys.readouterr()
        return Said(status=status, out=said.out, err=said.err)

    return run


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A node that has no destination, and data of its own."""
    path = tmp_path / "node.toml"
    path.write_text('[receiver]\nport = 11199\n[storage]\ndirectory = "data"\n')
    return path


STUDY = "1.2.826.0.1.3680043.10.999.1"
PATIENT = {"PatientID": "PAT-4711", "PatientName": "Müller^Hans", "AccessionNumber": "ACC-0815"}


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A folder with a scout-sized CT of three slices."""
    folder = tmp_path / "ct"
    folder.mkdir()
    for number in (1, 2, 3):
        write_slice(folder / f"{number}.dcm", number)
    return folder


def write_slice(path: Path, number: int, *, study: str = STUDY) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = f"{study}.2.{number}"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"{study}.2.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.2"
    dataset.FrameOfReferenceUID = f"{study}.3"
    dataset.SeriesNumber, dataset.SeriesDescription = 7, "Lung 1.0"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword, value in PATIENT.items():
        setattr(dataset, keyword, value)
    dataset.PatientBirthDate, dataset.StudyDate = "19561224", "20260301"
    dataset.ImagePositionPatient = [0, 0, number]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 1
    dataset.Rows = dataset.Columns = 4
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.SamplesPerPixel = 1, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = bytes(32)
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture
def store(cli: Cli, ct: Path, config_file: Path) -> Iterator[Store]:
    """The store after the CT was ingested."""
    assert cli("ingest", ct, "--config", config_file).status == 0
    store = open_database(load_config(config_file, {}).database)
    yield store
    store.close()


@pytest.fixture
def job(store: Store, config_file: Path) -> int:
    """A queued job that is to report that nothing was annotated."""
    config = load_config(config_file, {})
    rules = StudyRules(quiet_period_s=0, max_wait_s=0, when_unannotated=WhenUnannotated.REPORT)
    planner = Planner(store, open_reading(config, store), rules=rules, terms=job_terms(config))
    (number,) = planner.plan(datetime.now(UTC))
    return number


def claimed(store: Store) -> JobLease:
    lease = store.claim_job(owner=this_process(), lease_s=30, now=datetime.now(UTC))
    assert lease is not None
    return lease


def finish(store: Store) -> None:
    """The queued job is done, with one nodule and a report that goes to "pacs"."""
    store.finish_job(
        claimed(store),
        result=JobResult(
            outcome=Outcome.ANALYSED,
            headline="1 of 1 nodule analysed",
            summary={
                "nodules": [
                    {
                        "tracking_uid": "1.2.3.4",
                        "tracking_id": "Nodule 1",
                        "centre_mm": [10.0, 20.0, -30.0],
                        "centre_index": [40.0, 30.0, 20.0],
                        "diameter_mm": 8.4,
                        "probability": 0.731,
                        "reason": None,
                    }
                ]
            },
            artifacts=[
                StoredArtifact(
                    kind=ArtifactKind.REPORT,
                    report_variant=ReportVariant.COMPREHENSIVE_3D,
                    capture_variant=CaptureVariant.MULTI_FRAME,
                    sop_class_uid=SOPClassUID("1.2.840.10008.5.1.4.1.1.88.34"),
                    sop_instance_uid=SOPInstanceUID("2.25.1"),
                    series_instance_uid=SeriesInstanceUID("2.25.2"),
                    transfer_syntax_uid="1.2.840.10008.1.2.1",
                    path="ab/abcd.dcm",
                    sha256="abcd",
                    size=10,
                )
            ],
        ),
        outbox=Outbox(destinations=["pacs"], max_attempts=5),
        now=datetime.now(UTC),
    )


def bury(store: Store) -> None:
    """The queued job is dead."""
    store.bury(claimed(store), error="the GPU is on fire", now=datetime.now(UTC))
