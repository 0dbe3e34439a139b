"""What a search finds is what the rows say, whatever came, and in whatever order."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom import Dataset

from node.core.inputs import InstanceFacts, Role
from node.core.results import ArtifactKind
from node.core.uids import result_series_uid
from node.dicom.described import described
from node.dicom.searchable import ATTRIBUTES, Described, Level, Value
from node.persistence.search import Search
from node.persistence.store import Store, open_store
from sr_templates.findings import Outcome
from tests.benchmarks.searches import SEARCHES
from tests.node.core.facts_of import STUDY, THICK, THIN, ct_slice, facts, segmentation
from tests.node.persistence.archive import fill_archive
from tests.node.persistence.filling import arrive, claimed, finish, queued
from tests.node.persistence.test_plans import explained

KNOWN = {each.keyword: each for level in Level for each in ATTRIBUTES[level]}


def says(**attributes: object) -> Described:
    """What an object with these attributes says."""
    header = Dataset()
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return described(header)


def found(store: Store, level: Level, *keywords: str) -> list[tuple[Value, ...]]:
    answered = tuple(KNOWN[keyword] for keyword in keywords)
    rows = store.search(Search(level=level, answered=answered, limit=100)).rows
    return [tuple(row) for row in rows]


COUNTS = ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "ModalitiesInStudy")
CT, SEG = says(Modality="CT"), says(Modality="SEG")


def moved(slice_: InstanceFacts) -> InstanceFacts:
    """The same instance, said to be of another series."""
    return replace(slice_, series_instance_uid=THIN, content_digest="moved")


def test_counts_and_modalities_are_those_of_what_is_found(store: Store) -> None:
    assert found(store, Level.STUDY, *COUNTS) == []
    for number in range(3):
        arrive(store, ct_slice(number), says=CT)
    assert found(store, Level.STUDY, *COUNTS) == [(1, 3, "\\CT\\")]
    arrive(store, segmentation(), says=SEG)
    assert found(store, Level.STUDY, *COUNTS) == [(2, 4, "\\CT\\SEG\\")]
    arrive(store, ct_slice(0), says=CT)
    assert found(store, Level.STUDY, *COUNTS) == [(2, 4, "\\CT\\SEG\\")]


def test_an_instance_that_comes_again_in_another_series_is_counted_where_it_is(
    store: Store,
) -> None:
    arrive(store, ct_slice(0), says=CT, content="first")
    arrive(store, moved(ct_slice(0)), says=CT, content="second")
    per_series = ("SeriesInstanceUID", "NumberOfSeriesRelatedInstances")
    assert found(store, Level.SERIES, *per_series) == [(THIN, 1)]
    arrive(store, ct_slice(0), says=CT, content="first")
    assert found(store, Level.SERIES, *per_series) == [(THICK, 1)]
    assert found(store, Level.INSTANCE, "SeriesInstanceUID") == [(THICK,)]


def test_a_result_that_came_back_is_not_found(store: Store) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    before = found(store, Level.INSTANCE, "SOPInstanceUID")
    series = result_series_uid(STUDY, ArtifactKind.REPORT, revision=1, outcome=Outcome.ANALYSED)
    arrive(
        store, facts(uid="2.25.9", series=series, role=Role.OWN_RESULT), says=says(Modality="SR")
    )
    assert found(store, Level.INSTANCE, "SOPInstanceUID") == before
    assert series not in {row[0] for row in found(store, Level.SERIES, "SeriesInstanceUID")}


def test_a_scanner_describes_the_study_and_others_fill_what_is_empty(store: Store) -> None:
    keywords = ("StudyDescription", "StudyID", "PatientSex")
    stray = says(StudyDescription="Segmentations", StudyID="X", PatientSex="F")
    arrive(store, segmentation(), says=stray)
    assert found(store, Level.STUDY, *keywords) == [("Segmentations", "X", "F")]
    arrive(store, ct_slice(0), says=says(StudyDescription="CT Thorax", PatientSex="M"))
    assert found(store, Level.STUDY, *keywords) == [("CT Thorax", "", "M")]
    arrive(store, segmentation(uid="1.2.3.50.2"), says=stray)
    assert found(store, Level.STUDY, *keywords) == [("CT Thorax", "X", "M")]


def test_the_last_object_that_was_read_describes_its_series(store: Store) -> None:
    arrive(store, ct_slice(0), says=says(SeriesDescription="Lung", SeriesNumber=3))
    arrive(store, ct_slice(1), says=says(SeriesDescription="Lung, corrected", SeriesNumber=4))
    keywords = ("SeriesDescription", "SeriesNumber")
    assert found(store, Level.SERIES, *keywords) == [("Lung, corrected", 4)]


def test_values_that_break_the_rules_are_kept_from_breaking_anything(store: Store) -> None:
    odd = says(
        SeriesNumber="99999999999999",
        InstanceNumber="1.5",
        StudyTime="noon",
        StudyDescription="x" * 100_000,
        ReferringPhysicianName="=".join("^" * 70_000),
    )
    arrive(store, ct_slice(0), says=odd)
    assert found(store, Level.SERIES, "SeriesNumber") == [(None,)]
    assert found(store, Level.INSTANCE, "InstanceNumber") == [(None,)]
    assert found(store, Level.STUDY, "StudyTime", "StudyDescription") == [("", "x" * 512)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('archive') / 'm3node.sqlite'}")
    fill_archive(store._engine, 500, slices=3)
    yield store
    store.close()


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_goes_along_an_index(filled: Store, name: str) -> None:
    tables = ("study", "series", "instance", "artifact")
    steps = [step for step in _steps(filled, name) if step.split()[1] in tables]
    assert steps
    for step in steps:
        # A walk along the order of the answer stops where the answer is full.
        assert re.match(r"(SEARCH|SCAN) \w+ USING (COVERING )?INDEX (ix|sqlite_auto)", step), steps


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("OHIF's list", "SCAN study USING INDEX ix_study_newest"),
        ("OHIF, a patient", "SEARCH study USING INDEX ix_study_patient_id (patient_id=?)"),
        (
            "name*",
            "SEARCH study USING INDEX ix_study_patient_name_key "
            "(patient_name_key>? AND patient_name_key<?)",
        ),
        (
            "date range",
            "SEARCH study USING INDEX ix_study_newest (study_date>? AND study_date<?)",
        ),
        ("accession", "SEARCH study USING INDEX ix_study_accession_number (accession_number=?)"),
        (
            "series by modality",
            "SEARCH series USING INDEX ix_series_modality_study_instance_uid_series_instance_uid "
            "(modality=?)",
        ),
        (
            "instances, series",
            "SEARCH instance USING INDEX ix_instance_found "
            "(study_instance_uid=? AND series_instance_uid=?)",
        ),
        (
            "a report's UID",
            "SEARCH artifact USING INDEX ix_artifact_found_uid (sop_instance_uid=?)",
        ),
    ],
)
def test_what_is_asked_for_most_has_an_index_of_its_own(
    filled: Store, name: str, step: str
) -> None:
    assert step in _steps(filled, name)


def _steps(store: Store, name: str) -> list[str]:
    with explained(store._engine) as plans:
        store.search(SEARCHES[name].search)
    ((_, steps),) = plans
    return steps
