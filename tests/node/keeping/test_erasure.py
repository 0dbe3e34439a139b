"""An erasure request: what goes, what stays, and when it is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from m3net.uids import StudyInstanceUID
from node.core.diary import Kind
from node.core.errors import NotAllowed, UnknownEntry
from node.core.inputs import InstanceFacts
from node.dicom.searchable import NOTHING_SAID, Described
from node.keeping import identity
from node.keeping.backup import back_up
from node.keeping.erasure import erase
from node.keeping.restore import restore
from node.persistence.rows import ReadInstance, ReceivedInstance
from node.persistence.schema import Base
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from tests.node.keeping.bench import LONG_AGO, Bench
from tests.node.keeping.conftest import on_both
from tests.node.persistence.filling import IDENTITY


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


@on_both
def test_the_numbers_of_an_erased_study_are_never_given_to_another(
    kept: Bench, tmp_path: Path
) -> None:
    kept.study(1)
    erased = kept.study(2)
    told = [row.job_id for row in kept.store.list_jobs()]
    erase(kept.store, kept.spool, erased, by="alice", now=now())
    kept.study(3)
    assert max(told) == 2
    assert [row.job_id for row in kept.store.list_jobs()] == [3, 1]
    assert [row.delivery_id for row in kept.store.list_deliveries()] == [3, 1]
    erase(kept.store, kept.spool, StudyInstanceUID("1.2.3.3"), by="alice", now=now())
    identity.adopt(kept.store, tmp_path, now=now())
    back_up(kept.store, kept.spool, tmp_path / "backup")

    def opened() -> Store:
        return open_store(f"sqlite:///{tmp_path / 'restored.sqlite'}")

    restore(tmp_path / "backup", tmp_path / "restored", opened, by="alice", now=now())
    restored = Bench(opened(), Spool(tmp_path / "restored" / "spool"))
    restored.study(4)
    assert [row.job_id for row in restored.store.list_jobs()] == [4, 1]
    restored.store.close()


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


@on_both
def test_what_is_erased_while_it_is_read_or_judged_holds_up_nobody(kept: Bench) -> None:
    study, other = kept.study(1, until="judged"), kept.study(2, until="judged")
    late = {}
    for number in (1, 2):
        facts = kept.slices(number, 3)[-1]
        record(kept, facts, f"late of {number}")
        (unread,) = kept.store.unread(facts.study_instance_uid, most=5)
        late[unread] = ReadInstance(facts=facts, says=NOTHING_SAID)
    snapshot = kept.store.study_snapshot(study)
    erase(kept.store, kept.spool, study, by="alice", forced=True, now=now())
    kept.store.note_facts(late, out_of_reach=[])
    assert kept.store.study_snapshot(other).unread == 0
    kept.store.postpone_judgement(study, reason="for a repair", look_again_at=now(), now=now())
    assert not kept.store.note_judgement(
        snapshot, kind=Kind.STUDY_WAITS, reason="for more", look_again_at=None, now=now()
    )
    with pytest.raises(UnknownEntry):
        kept.store.study_snapshot(study)


@pytest.mark.parametrize("of", [2, 1], ids=["another patient's", "the same object, corrected"])
def test_what_was_read_of_an_erased_object_is_not_said_of_one_that_got_its_number(
    kept: Bench, url: str, of: int
) -> None:
    """SQLite gives the number of the last row that was deleted again."""
    kept.study(2, until="judged")
    study = kept.study(1, until="judged")
    first, other = kept.slices(1, 3)[-1], kept.slices(of, 3)[-1]
    record(kept, first, "first")
    (erased,) = kept.store.unread(study, most=5)
    erase(kept.store, kept.spool, study, by="alice", forced=True, now=now())
    kept.study(1, until="judged")  # comes again
    record(kept, other, "other")
    (here,) = kept.store.unread(other.study_instance_uid, most=5)
    assert (here.number, here.tries) == (erased.number, 0)
    wrong = Described(study={"patient_birth_date": "19000101"}, series={}, instance={})
    kept.store.note_facts({erased: ReadInstance(facts=first, says=wrong)}, out_of_reach=[])
    kept.store.note_facts({}, out_of_reach=[erased])
    snapshot = kept.store.study_snapshot(other.study_instance_uid)
    assert snapshot.unread == 1
    (again,) = kept.store.unread(other.study_instance_uid, most=5)
    assert again.tries == 1, "that it was begun is of the one that is here"
    assert "19000101" not in everything(url)


def record(kept: Bench, facts: InstanceFacts, content: str) -> None:
    """The object is here, and not read."""
    kept.store.record_instances(
        [
            ReceivedInstance(
                study_instance_uid=facts.study_instance_uid,
                series_instance_uid=facts.series_instance_uid,
                sop_instance_uid=facts.sop_instance_uid,
                sop_class_uid=facts.sop_class_uid,
                transfer_syntax_uid=facts.transfer_syntax_uid,
                identity=IDENTITY,
                names_study=True,
                file=kept.spool.write([content.encode()]),
                sender_id=None,
                at=now(),
            )
        ]
    )


def test_an_erased_study_that_comes_again_is_a_new_one(kept: Bench) -> None:
    study = kept.study(1)
    erase(kept.store, kept.spool, study, by="alice", now=now())
    assert kept.study(1) == study
    (row,) = kept.store.list_jobs(study=study)
    assert row.revision == 1
    assert kept.files() == kept.needed()
