"""How long searches take in an archive.

    python -m tests.benchmarks.searches [--studies 10000] [--slices 20] [--rounds 20] [--plans]
                                        [--database URL]

Each search of `SEARCHES` is made as a client makes it, from its query to the rows that are
answered; behind it stands what writing the answer takes.  Prints medians in milliseconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

from sqlalchemy import text

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.dicom.searchable import Level
from node.persistence.store import open_store
from node.web.dicomweb.found import data_sets
from node.web.dicomweb.metadata_json import as_json
from node.web.dicomweb.query import Query, read_query
from tests.node.persistence.archive import fill_archive, uid_of
from tests.node.persistence.test_plans import explained

_OHIF = "limit=101&offset=0&fuzzymatching=false&includefield=00081030,00080060"
_STUDY = StudyInstanceUID(uid_of(77))
_SERIES = SeriesInstanceUID(f"{uid_of(77)}.0")
SEARCHES: dict[str, Query] = {
    name: read_query(parse_qsl(query, keep_blank_values=True), level, study=study, series=series)
    for name, level, query, study, series in (
        ("OHIF's list", Level.STUDY, _OHIF, None, None),
        ("OHIF, page 50", Level.STUDY, f"{_OHIF}&offset=5000", None, None),
        ("OHIF, one study", Level.STUDY, f"{_OHIF}&StudyInstanceUID={_STUDY}", None, None),
        ("OHIF, a patient", Level.STUDY, f"{_OHIF}&00100020=PID000077", None, None),
        ("OHIF, *name*", Level.STUDY, f"{_OHIF}&PatientName=*cker12*", None, None),
        ("OHIF, *PID*", Level.STUDY, f"{_OHIF}&PatientID=*0077*", None, None),
        ("OHIF, week, CT", Level.STUDY, f"{_OHIF}&StudyDate=20250901-20250907&ModalitiesInStudy=CT",
         None, None),
        ("name*", Level.STUDY, "PatientName=becker12*&limit=100", None, None),
        ("name* with many", Level.STUDY, "PatientName=b*&limit=100", None, None),
        ("name, exact", Level.STUDY, "PatientName=becker10^anna&limit=100", None, None),
        ("nobody's name", Level.STUDY, "PatientName=zzz*&limit=100", None, None),
        ("date range", Level.STUDY, "StudyDate=20250601-20250630&limit=100", None, None),
        ("date and time", Level.STUDY,
         "StudyDate=20250601-20250630&StudyTime=0900-1200&limit=100", None, None),
        ("accession", Level.STUDY, "AccessionNumber=A0004711", None, None),
        ("accession*", Level.STUDY, "AccessionNumber=A00047*&limit=100", None, None),
        ("modality, most", Level.STUDY, "ModalitiesInStudy=SR&limit=100", None, None),
        ("modality, few", Level.STUDY, "ModalitiesInStudy=RTSTRUCT&limit=100", None, None),
        ("modality, none", Level.STUDY, "ModalitiesInStudy=PT&limit=100", None, None),
        ("physician*", Level.STUDY, "ReferringPhysicianName=house7*&limit=100", None, None),
        ("description", Level.STUDY, "StudyDescription=*Abdomen*&limit=100", None, None),
        ("sex", Level.STUDY, "PatientSex=F&limit=100", None, None),
        ("study ID", Level.STUDY, "StudyID=S9999&limit=100", None, None),
        ("series of a study", Level.SERIES, "includefield=00080021,00080031,0008103E,00200011",
         _STUDY, None),
        ("series by modality", Level.SERIES, "Modality=RTSTRUCT&limit=100", None, None),
        ("series, all", Level.SERIES, "limit=100", None, None),
        ("series of a patient", Level.SERIES, "PatientID=PID000077", None, None),
        ("instances, series", Level.INSTANCE, "limit=100", _STUDY, _SERIES),
        ("instances, study", Level.INSTANCE, "limit=100", _STUDY, None),
        ("instances, all", Level.INSTANCE, "limit=100", None, None),
        ("an instance's UID", Level.INSTANCE, f"SOPInstanceUID={_SERIES}.7", None, None),
        ("a report's UID", Level.INSTANCE, "SOPInstanceUID=2.25.77", None, None),
    )
}  # fmt: skip


def main() -> None:
    """Print one line for each search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--plans", action="store_true", help="how SQLite goes about it")
    parser.add_argument("--database", help="an empty one; a file of SQLite's if none is named")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(arguments.database or f"sqlite:///{Path(folder) / 'm3node.sqlite'}")
        fill_archive(store._engine, arguments.studies, slices=arguments.slices)
        with store._engine.connect() as connection:
            if arguments.database:
                connection.execute(text("ANALYZE"))
                connection.commit()
        print(f"{arguments.studies} studies of {arguments.slices} slices")

        def timed(action: Callable[[], object]) -> float:
            taken = []
            for _ in range(arguments.rounds):
                started = time.perf_counter()
                action()
                taken.append(1000 * (time.perf_counter() - started))
            return statistics.median(taken)

        for name, query in SEARCHES.items():
            found = store.search(query.search)
            search_ms = timed(lambda query=query: store.search(query.search))
            answer_ms = timed(
                lambda query=query, found=found: [
                    as_json(each) for each in data_sets(found.rows, query, base="http://h/d")
                ]
            )
            print(f"{name:20} {len(found.rows):5} found {search_ms:8.2f} ms {answer_ms:8.2f} ms")
            if arguments.plans:
                with explained(store._engine) as plans:
                    store.search(query.search)
                for _, steps in plans:
                    print(*(f"    {step}" for step in steps), sep="\n")
        store.close()


if __name__ == "__main__":
    main()
