"""An erasure request: what goes, what stays, and when it is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from m3net.uids import StudyInstanceUID
from node.core.errors import NotAllowed, UnknownEntry
from node.keeping.erasure import erase
from node.persistence.schema import Base
from tests.node.keeping.bench import LONG_AGO, Bench
from tests.node.keeping.conftest import on_both


def now() -> datetime:
    return datetime.now(UTC)


def everything(url: str) -> str:
    """Every row of every table, as text."""
    engine = create_engine(url)
    with engine.connect() as connection:
        said = "\n".join(
            repr(tuple(row))
            for table in Base.metadata.sorted_tables
            for row in connection.execute(table.select())
        )
    engine.dispose()
    return said


@on_both
def test_nothing_tells_of_an_erased_study_but_that_one_was_erased(
    kept: Bench, url: str, tmp_path: Path
) -> None:
    study = kept.study(1)
    kept.study(2)
    others = kept.paths(StudyInstanceUID("1.2.3.2"))
    with kept.store._write() as connection:
        for uid in ("1.2.3.1", "1.2.3.2"):
            connection.exec_driver_sql(
                f"UPDATE study SET patient_name = 'Erased^Emil' WHERE study_instance_uid = '{uid}'"
            )
        connection.exec_driver_sql(
            "UPDATE study SET patient_name = 'Other^Olga', patient_id = 'OTHER' "
            "WHERE study_instance_uid = '1.2.3.2'"
        )
    beforehand = kept.store.what_erasing_takes(study)
    assert (beforehand.objects, beforehand.results, beforehand.files) == (2, 2, 4)
    assert beforehand.undelivered == ()
    assert erase(kept.store, kept.spool, study, by="alice", now=now()) == beforehand
    assert kept.files() == others == kept.needed()
    left = everything(url)
    assert "1.2.3.2" in left
    for gone in ("'1.2.3.1'", "1.2.3.1.1", "Erased^Emil", "ERASE-4711"):
        assert gone not in left, gone
    if url.startswith("sqlite"):
        on_disk = b"".join(path.read_bytes() for path in tmp_path.glob("m3node.sqlite*"))
        assert b"Olga" in on_disk
        for bytes_ in (b"Emil", b"ERASE-4711", b"1.2.3.1.1.0"):
            assert bytes_ not in on_disk, bytes_
    erased = kept.store.erased(study)
    assert erased is not None
    assert erased[1] == "alice"
    with pytest.raises(UnknownEntry, match=r"the study was erased at .* UTC by alice"):
        kept.store.find_study(study)
    with pytest.raises(UnknownEntry):
        erase(kept.store, kept.spool, study, by="alice", now=now())


def test_what_is_not_delivered_is_erased_by_force_only(kept: Bench) -> None:
    for number, (until, because) in enumerate(
        (
            ("dead", "1 deliveries dead"),
            ("finished", "1 deliveries queued"),
            ("queued", "1 analyses queued"),
            ("received", "it is still to be judged"),
        )
    ):
        study = kept.study(number, until=until)
        with pytest.raises(NotAllowed, match=f"is not erased: {because}; --force erases it"):
            erase(kept.store, kept.spool, study, by="alice", now=now())
        assert kept.files() == kept.needed() != set()
        assert kept.store.what_erasing_takes(study).undelivered == (because,)
        erase(kept.store, kept.spool, study, by="alice", forced=True, now=now())
        assert kept.files() == set()


def test_what_is_just_being_analysed_is_not_erased_even_by_force(kept: Bench) -> None:
    study = kept.study(1, until="claimed")
    with pytest.raises(NotAllowed, match="cannot be erased now: it is being analysed; try again"):
        erase(kept.store, kept.spool, study, by="alice", forced=True, now=now())
    assert kept.files() == kept.needed()


def test_what_another_study_needs_stays_until_that_is_erased_too(kept: Bench) -> None:
    studies = []
    for number in (1, 2):
        (facts,) = kept.slices(number, 1)
        kept.receive(facts, content="the same bytes", now=LONG_AGO)
        studies.append(kept.study(number))
    erase(kept.store, kept.spool, studies[0], by="alice", now=now())
    assert kept.files() == kept.needed() == kept.paths(studies[1])
    erase(kept.store, kept.spool, studies[1], by="alice", now=now())
    assert kept.files() == set()


def test_an_erased_study_that_comes_again_is_a_new_one(kept: Bench) -> None:
    study = kept.study(1)
    erase(kept.store, kept.spool, study, by="alice", now=now())
    assert kept.study(1) == study
    (row,) = kept.store.list_jobs(study=study)
    assert row.revision == 1
    assert kept.files() == kept.needed()
