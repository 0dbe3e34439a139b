"""The studies, answered by the node, as they lie in Orthanc and as one browser shows them."""

import fcntl
import os
import pickle
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from pydicom import Dataset, dcmread

from node.config import DestinationConfig, DicomwebDestination, DimseDestination
from tests.peers import Orthanc, orthanc
from tests.viewers import tour
from tests.viewers.kinds import KINDS
from tests.viewers.one_process import answer
from tests.viewers.packages import require_packages
from tests.viewers.pages import served
from tests.viewers.studies import STUDIES, Given, instance_id, series_id

_TOUR_S = 420.0
"""Far more than an idle machine needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One study and its results as Orthanc gives them back.

    arrived : over C-STORE; captures, companions and report as they were sent
    by_web  : SOP Instance UIDs of what arrived over STOW-RS in another Orthanc
    storage : of the node that answered
    """

    storage: Path
    given: Given
    headline: str
    arrived: Sequence[Dataset]
    by_web: frozenset[str]

    def of_class(self, sop_class_uid: str) -> list[Dataset]:
        """The results of one class, in the order of their numbers."""
        found = [each for each in self.arrived if each.SOPClassUID == sop_class_uid]
        return sorted(found, key=lambda each: int(each.InstanceNumber))


Studies = Mapping[str, Answered]


def of_kind(answered: Studies, kind: str) -> list[Dataset]:
    """The objects of that kind; there is at least one."""
    study, sop_class_uid = KINDS[kind]
    found = answered[study].of_class(sop_class_uid)
    assert found, f"no {kind} arrived"
    return found


class Seen:
    """What the viewers showed of the studies, and where the screenshots lie."""

    def __init__(self, folder: Path, studies: Studies) -> None:
        self.folder, self.studies = folder, studies

    def by(self, viewer: str, study: str) -> Any:
        """What the viewer's script tells of the study; fails if it did not come to its end."""
        return tour.seen(self.folder, f"{viewer}-{study}")


@pytest.fixture(scope="session")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Studies:
    """The studies and their results: made by the first process that wants them."""
    with shared_folder(tmp_path_factory) as shared:
        return once(shared / "answered", lambda: _answered(tmp_path_factory.mktemp("nodes")))


@pytest.fixture(scope="session")
def seen(answered: Studies, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """The tour through the viewers: made by the first process that wants it."""
    require_packages()
    with shared_folder(tmp_path_factory) as shared:
        once(shared / "shown", lambda: _show(answered, shared, tmp_path_factory.mktemp("pacs")))
        return Seen(shared, answered)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails says where the screenshots are; pytest keeps them for three runs."""
    report = yield
    made = getattr(item, "funcargs", {}).get("seen")
    if report.failed and isinstance(made, Seen):
        report.sections.append(("screenshots", str(made.folder)))
    return report


@contextmanager
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of all processes of this run, for one of them at a time."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "viewers"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def once(path: Path, make: Callable[[], Any]) -> Any:
    if not path.exists():
        path.write_bytes(pickle.dumps(make()))
    return pickle.loads(path.read_bytes())


def _answered(scratch: Path) -> Studies:
    made = {}
    (scratch / "web").mkdir()
    with orthanc(scratch) as pacs, orthanc(scratch / "web") as web:
        for name, build in STUDIES.items():
            given = build()
            before = pacs.sop_instance_uids(), web.sop_instance_uids()
            headline = answer(
                [*given.ct, given.annotation],
                storage=scratch / name,
                weights=given.weights,
                destinations=_destinations(given, pacs, web),
            )
            made[name] = Answered(
                storage=scratch / name,
                given=given,
                headline=headline,
                arrived=_objects(pacs, except_for=before[0]),
                by_web=frozenset(web.sop_instance_uids() - before[1]),
            )
    return made


def _destinations(given: Given, pacs: Orthanc, web: Orthanc) -> list[DestinationConfig]:
    wanted: dict[str, Any] = {"profile": given.profile, "companions": given.companions}
    return [
        DimseDestination(
            name="pacs",
            host="127.0.0.1",
            port=pacs.dicom_port,
            ae_title=pacs.ae_title,
            **wanted,
        ),
        DicomwebDestination(name="web", url=web.dicomweb_url, **wanted),
    ]


def _objects(peer: Orthanc, *, except_for: set[str]) -> list[Dataset]:
    found = []
    for instance in peer.get("/instances?expand"):
        if instance["MainDicomTags"]["SOPInstanceUID"] not in except_for:
            with urlopen(f"{peer.url}/instances/{instance['ID']}/file") as file:
                found.append(dcmread(BytesIO(file.read())))
    return found


def _show(answered: Studies, shared: Path, scratch: Path) -> None:
    with orthanc(scratch, web_viewer=True) as peer:
        for study in answered.values():
            for dataset in (*study.given.ct, study.given.annotation, *study.arrived):
                peer.add(dataset)
        with served(peer.url) as base:
            tour.visit(_visits(answered, base, peer.url), shared, timeout_s=_TOUR_S)


def _visits(answered: Studies, base: str, orthanc_url: str) -> list[dict[str, object]]:
    """One list for the browser: every study in every viewer."""
    visits: list[dict[str, object]] = []
    for name, study in answered.items():
        ct = series_id(study.given.ct[0])
        (report,) = (each for each in study.arrived if each.Modality == "SR")
        others = {series_id(e): e for e in study.arrived if e.Modality != "SR"}
        pictures = [series for series, each in others.items() if "PixelData" in each]
        visits += [
            {
                "name": f"ohif-{name}",
                "viewer": "ohif",
                "base": base,
                "study": str(study.given.ct[0].StudyInstanceUID),
            },
            {
                "name": f"dwv-{name}",
                "viewer": "dwv",
                "base": base,
                "series": ct,
                "report": instance_id(report),
            },
            {
                "name": f"orthanc-{name}",
                "viewer": "orthanc",
                "base": orthanc_url,
                "series": [ct, *pictures],
                "instances": [
                    instance_id(each)
                    for each in study.arrived
                    if each.Modality in ("SR", "KO", "PR", "DOC")
                ],
            },
        ]
    return visits
