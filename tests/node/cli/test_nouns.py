"""What an operator sees and does, over a real store."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from m3net.uids import StudyInstanceUID
from node.cli.rows import show_nodules
from node.core.diary import Kind
from node.core.errors import LeaseLost
from node.core.fetching import Scope, Wanted
from node.core.states import State
from node.persistence.store import Store
from tests.node.cli.conftest import PATIENT, STUDY, Cli, bury, finish, write_slice

PHI = [PATIENT["PatientID"], PATIENT["PatientName"], "Müller", "19561224"]


def names_no_patient(text: str) -> bool:
    return not any(value in text for value in PHI)


def test_where_there_is_nothing_to_take_in_the_exit_status_says_so(
    cli: Cli, config_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read.me").write_text("no DICOM")
    said = cli("ingest", tmp_path / "notes", "--config", config_file)
    assert said.status == 1
    assert "0 new, 0 known already, 0 newer versions, 1 skipped, 0 refused" in said.out
    assert "nothing was taken in: no DICOM object is there" in said.err


def test_ingest_takes_in_what_is_dicom_and_lists_what_is_not(
    cli: Cli, ct: Path, config_file: Path
) -> None:
    (ct / "readers.xml").write_text("<xml/>")
    said = cli("ingest", ct, "--config", config_file)
    assert said.status == 0
    assert said.out.splitlines() == [
        f"skipped, not a DICOM object: {ct / 'readers.xml'}",
        "3 new, 0 known already, 0 newer versions, 1 skipped, 0 refused",
    ]


def test_ingesting_twice_changes_nothing(
    cli: Cli, store: Store, ct: Path, config_file: Path
) -> None:
    said = cli("ingest", ct, "--config", config_file)
    assert "0 new, 3 known already" in said.out
    assert [row.instances for row in store.list_studies()] == [3]


def test_a_refused_file_is_told_and_fails_the_command(
    cli: Cli, ct: Path, config_file: Path
) -> None:
    (ct / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 40)
    said = cli("ingest", ct, "--config", config_file)
    assert said.status == 1
    assert f"refused {ct / 'broken.dcm'}: 0xC000" in said.err
    assert "3 new" in said.out


def test_what_is_no_file_or_cannot_be_read_does_not_keep_the_others_out(
    cli: Cli, ct: Path, config_file: Path
) -> None:
    (ct / "a link to nothing").symlink_to(ct / "absent")
    os.mkfifo(ct / "b pipe")
    (ct / "c unreadable").symlink_to("/proc/self/mem")  # opens, and reading it fails
    said = cli("ingest", ct, "--config", config_file)
    assert said.status == 1
    assert said.err.splitlines() == [f"refused {ct / 'c unreadable'}: Input/output error"]
    assert said.out.splitlines() == [
        f"skipped, not a DICOM object: {ct / 'a link to nothing'}",
        f"skipped, not a DICOM object: {ct / 'b pipe'}",
        "3 new, 0 known already, 0 newer versions, 2 skipped, 1 refused",
    ]


def test_an_ingested_study_is_listed_without_the_patient(
    cli: Cli, store: Store, config_file: Path
) -> None:
    said = cli("study", "list", "--config", config_file)
    assert said.status == 0
    assert ("043.10.999.1" in said.out, "ACC-0815" in said.out) == (True, True)
    assert names_no_patient(said.out)


def test_phi_names_the_patient(cli: Cli, store: Store, config_file: Path) -> None:
    said = cli("study", "list", "--phi", "--config", config_file)
    assert all(value in said.out for value in PATIENT.values())


def test_json_names_the_patient_only_with_phi(cli: Cli, store: Store, config_file: Path) -> None:
    (row,) = cli("study", "list", "--json", "--config", config_file).json()
    assert row["study_instance_uid"] == STUDY
    assert row["instances"] == 3
    assert "patient_id" not in row
    (row,) = cli("study", "list", "--json", "--phi", "--config", config_file).json()
    assert row["patient_id"] == "PAT-4711"


def test_a_study_is_shown_by_its_accession_number_with_its_nodules(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    finish(store)
    said = cli("study", "show", "ACC-0815", "--config", config_file)
    assert said.status == 0
    assert "1 of 1 nodule analysed" in said.out
    assert "Nodule 1" in said.out
    assert "73 %" in said.out
    assert "40.0, 30.0, 20.0" in said.out
    assert names_no_patient(said.out)
    data = cli("study", "show", STUDY, "--json", "--config", config_file).json()
    assert data["job_list"][0]["summary"]["nodules"][0]["probability"] == 0.731
    assert data["series"] == [
        {
            "series_instance_uid": f"{STUDY}.2",
            "modality": "CT",
            "series_number": 7,
            "series_description": "Lung 1.0",
            "instances": 3,
            "kinds": {"CT": 3},
        }
    ]
    (line,) = (line for line in said.out.splitlines() if "Lung 1.0" in line)
    assert line.split() == ["7", "CT", "Lung", "1.0", "3", "3", "CT", f"{STUDY}.2"]


def test_it_is_said_beside_a_report_that_it_may_not_be_the_last_word(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    finish(store)
    for verb in (["study", "show"], ["why"]):
        assert "caution:" not in cli(*verb, STUDY, "--config", config_file).out
        assert cli(*verb, STUDY, "--json", "--config", config_file).json()["cautions"] == []
    store.requeue_job(job, analysis_id="another model", now=datetime.now(UTC))
    bury(store)
    says = (
        "This study, by another model or other settings, could not be judged (job 2, revision 2, "
        "dead): the GPU is on fire. The report that stands is of an earlier analysis."
    )
    for verb in (["study", "show"], ["why"]):
        assert f"\ncaution: {says}\n" in cli(*verb, STUDY, "--config", config_file).out
        (caution,) = cli(*verb, STUDY, "--json", "--config", config_file).json()["cautions"]
        assert caution == {"name": "failed", "says": says}
    assert f"\ncaution: {says}\n" in cli("job", "show", job, "--config", config_file).out
    other = cli("job", "show", 2, "--config", config_file).out
    assert f"\ncaution: What stands is of another analysis, job {job}.\n" in other
    shown = cli("job", "show", 2, "--json", "--config", config_file).json()
    assert (shown["job_in_force"], shown["cautions"]) == (job, [{"name": "failed", "says": says}])
    said = cli("study", "show", STUDY, "--config", config_file).out
    assert "\njob 2 (dead, revision 2): the GPU is on fire\n" in said


def test_a_study_that_waits_again_is_listed_with_the_report_that_stands(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    finish(store)
    store.note_judgement(
        store.study_snapshot(StudyInstanceUID(STUDY)),
        kind=Kind.STUDY_WAITS,
        reason="for 3 slices",
        look_again_at=None,
        now=datetime.now(UTC),
    )
    says = "for 3 slices; reported before: 1 of 1 nodule analysed"
    assert says in cli("study", "list", "--config", config_file).out
    (row,) = cli("study", "list", "--json", "--config", config_file).json()
    assert (row["says"], row["waiting_for"]) == (says, "for 3 slices")


def test_an_unknown_study_is_an_error_that_does_not_repeat_the_number(
    cli: Cli, store: Store, config_file: Path
) -> None:
    said = cli("study", "show", "ACC-9999", "--config", config_file)
    assert said.status == 1
    assert "ACC-9999" not in said.err


def test_jobs_are_listed_and_filtered(cli: Cli, store: Store, job: int, config_file: Path) -> None:
    (row,) = cli("job", "list", "--json", "--config", config_file).json()
    assert (row["job_id"], row["state"]) == (job, "queued")
    assert cli("job", "list", "--state", "dead", "--json", "--config", config_file).json() == []
    assert len(cli("job", "list", "--since", "1h", "--json", "--config", config_file).json()) == 1
    assert (
        cli("job", "list", "--since", "2999-01-01", "--json", "--config", config_file).json() == []
    )


def test_a_job_shows_where_its_objects_lie(
    cli: Cli, store: Store, job: int, config_file: Path, tmp_path: Path
) -> None:
    finish(store)
    said = cli("job", "show", job, "--config", config_file)
    assert str(tmp_path / "data" / "spool" / "ab" / "abcd.dcm") in said.out


def test_dead_jobs_are_requeued_but_not_by_a_dry_run(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    bury(store)
    said = cli("job", "requeue", "--state", "dead", "--dry-run", "--config", config_file)
    assert (said.status, said.out.splitlines()[-1]) == (0, "1 would be requeued")
    assert store.job(job).state is State.DEAD
    assert cli("job", "requeue", "--state", "dead", "--config", config_file).status == 0
    assert store.job(job).state is State.QUEUED


def test_requeueing_a_done_job_of_the_same_model_sends_its_results_again(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    finish(store)
    said = cli("job", "requeue", "--study", "ACC-0815", "--config", config_file)
    on_their_way = f"the results of job {job} are on their way already"
    assert (said.status, on_their_way in said.out + said.err) == (1, True)
    now = datetime.now(UTC)
    lease = store.claim_delivery(destination="pacs", owner="a:1:1", lease_s=60, now=now)
    assert lease is not None
    store.finish_delivery(lease, now=now)
    said = cli("job", "requeue", "--study", "ACC-0815", "--config", config_file)
    assert said.status == 0
    assert "sent again" in said.out
    assert [(d.job_id, d.state) for d in store.list_deliveries(states=[State.QUEUED])] == [
        (job, State.QUEUED)
    ]


def test_a_job_that_cannot_be_requeued_fails_the_command_with_its_reason(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    said = cli("job", "requeue", job, "--config", config_file)
    assert said.status == 1
    assert f"job {job} not requeued: job {job} is queued already" in said.err


def test_one_job_that_cannot_be_cancelled_does_not_keep_the_others_from_it(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    said = cli("job", "cancel", 99, job, "--config", config_file)
    assert said.status == 1
    assert said.err.splitlines() == ["job 99 not cancelled: there is no job 99"]
    assert said.out.splitlines() == [f"job {job} cancelled"]
    assert store.job(job).state is State.CANCELLED


def test_an_accession_number_of_two_studies_lists_both_and_does_nothing(
    cli: Cli, store: Store, job: int, ct: Path, config_file: Path
) -> None:
    for number in (1, 2, 3):
        write_slice(ct / f"{number}.dcm", number, study=f"{STUDY}.77")
    assert cli("ingest", ct, "--config", config_file).status == 0
    for verb in (
        ["why"],
        ["study", "show"],
        ["job", "requeue", "--study"],
        ["job", "list", "--study"],
    ):
        said = cli(*verb, "ACC-0815", "--config", config_file)
        assert said.status == 2
        assert "2 studies go by that" in said.err
        assert f"{STUDY} " in said.err
        assert f"{STUDY}.77 " in said.err
    assert cli("why", "0.999.1", "--config", config_file).out.startswith(f"study {STUDY},")
    shown = cli("study", "list", "--sort", "accession", "--limit", "1", "--config", config_file).out
    assert shown.splitlines()[-1] == "1 to 1 of 2; --page 2 shows the next, --limit more"


def test_a_destination_that_nobody_knows_is_misuse_with_those_that_there_are(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    finish(store)
    for verb in (["delivery", "requeue"], ["delivery", "list"]):
        said = cli(*verb, "--destination", "pcas", "--config", config_file)
        assert (
            said.status,
            "no destination 'pcas' is configured; there are: pacs" in said.err,
        ) == (
            2,
            True,
        )
    store.ask_for_study(
        StudyInstanceUID(STUDY),
        "archive",
        Wanted(scope=Scope.STUDY, content="c"),
        max_attempts=3,
        now=datetime.now(UTC),
    )
    said = cli("fetch", "list", "--source", "x", "--config", config_file)
    assert (said.status, "there are: archive" in said.err) == (2, True)
    assert "ACC-0815" in cli("fetch", "list", "--search", "ACC", "--config", config_file).out
    assert cli("fetch", "cancel", 1, 2, "--config", config_file).err == (
        "fetch 2 not cancelled: there is no fetch 2\n"
    )


def test_a_study_whose_results_reached_nobody_is_not_merely_analysed(
    cli: Cli, store: Store, job: int, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(store)
    assert (
        "analysed, 1 of 1 delivery under way" in cli("study", "list", "--config", config_file).out
    )
    lease = store.claim_delivery(
        destination="pacs", owner="node:1:1", lease_s=30, now=datetime.now(UTC)
    )
    assert lease is not None
    store.bury(lease, error="refused", now=datetime.now(UTC))
    found = cli("study", "list", "--deliveries", "dead", "--config", config_file)
    assert "analysed, 1 of 1 delivery dead" in found.out
    none = cli("study", "list", "--state", "waiting", "--config", config_file)
    assert none.out == "no study\n"


@pytest.mark.parametrize(
    ("noun", "words"),
    [
        ("job", "name jobs, or choose them with --state, --study or --since"),
        (
            "delivery",
            "name deliveries, or choose them with --state, --destination, --study or --since",
        ),
    ],
)
def test_what_is_requeued_is_named_or_chosen(
    cli: Cli, config_file: Path, noun: str, words: str
) -> None:
    said = cli(noun, "requeue", "--config", config_file)
    assert (said.status, words in said.err) == (2, True)
    said = cli(noun, "requeue", 1, "--state", "dead", "--config", config_file)
    assert (said.status, "or choose them with options, not both" in said.err) == (2, True)


def test_a_queued_job_is_cancelled(cli: Cli, store: Store, job: int, config_file: Path) -> None:
    assert cli("job", "cancel", job, "--config", config_file).status == 0
    assert store.job(job).state is State.CANCELLED


def test_deliveries_are_listed_and_requeued(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    finish(store)
    (row,) = cli("delivery", "list", "--json", "--config", config_file).json()
    assert (row["destination"], row["state"]) == ("pacs", "queued")
    said = cli("delivery", "requeue", "--destination", "pacs", "--config", config_file)
    assert said.out.splitlines()[-1] == "no delivery to requeue"
    said = cli("delivery", "requeue", "4711", "--config", config_file)
    assert (said.status, said.err) == (1, "error: there is no delivery 4711\n")


def test_deliveries_to_a_destination_that_is_no_more_are_cancelled(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    finish(store)
    at = ("--destination", "pacs", "--config", config_file)
    assert "1 would be cancelled" in cli("delivery", "cancel", "--dry-run", *at).out
    assert cli("delivery", "cancel", *at).out == "delivery 1 cancelled\n"
    assert "no delivery to cancel" in cli("delivery", "cancel", *at).out
    why = cli("why", STUDY, "--config", config_file).out
    assert "(command line): what had not been sent is not sent" in why
    assert cli("delivery", "requeue", 1, "--config", config_file).status == 0
    lease = store.claim_delivery(
        destination="pacs", owner="node:1:1", lease_s=30, now=datetime.now(UTC)
    )
    assert lease is not None
    assert cli("delivery", "cancel", 1, "--config", config_file).status == 0, "while it runs"
    with pytest.raises(LeaseLost):
        store.finish_delivery(lease, now=datetime.now(UTC))
    again = cli("delivery", "cancel", 1, "--config", config_file)
    assert again.err == (
        "delivery 1 not cancelled: delivery 1 is cancelled; only what is queued, running or dead "
        "can be cancelled\n"
    )
    assert cli("delivery", "cancel", "--config", config_file).status == 2


def test_a_delivery_that_failed_says_why_it_waits_and_when_it_is_tried_again(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    finish(store)
    now = datetime.now(UTC)
    lease = store.claim_delivery(destination="pacs", owner="node:1:1", lease_s=30, now=now)
    assert lease is not None
    said = cli("why", "ACC-0815", "--config", config_file)
    assert "next try" not in said.out
    at = now + timedelta(minutes=3)
    store.retry(lease, error="PACS answered HTTP 401", not_before=at, now=now)
    local = at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    said = cli("why", "ACC-0815", "--config", config_file)
    assert said.out.splitlines()[-1] == (
        f"now: delivery 1 to pacs waits, next try {local} (1 of 5 made): PACS answered HTTP 401"
    )
    (waiting,) = cli("why", STUDY, "--json", "--config", config_file).json()["deliveries_waiting"]
    assert (waiting["destination"], waiting["because"]) == ("pacs", "PACS answered HTTP 401")
    listed = cli("delivery", "list", "--config", config_file).out
    assert "next try" in listed
    assert local in listed


def test_why_tells_the_diary_in_words_and_names_nobody(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    bury(store)
    said = cli("why", "ACC-0815", "--config", config_file)
    assert said.status == 0
    assert f"job {job} is dead and waits for a person: the GPU is on fire" in said.out
    assert "m3node ingest began to take in files" in said.out
    assert names_no_patient(said.out)
    events = cli("why", STUDY, "--json", "--config", config_file).json()["events"]
    assert events[-1]["kind"] == "job.dead"


def test_a_corrected_slice_is_a_newer_version(
    cli: Cli, store: Store, ct: Path, config_file: Path
) -> None:
    write_slice(ct / "1.dcm", 1)
    from pydicom import dcmread

    corrected = dcmread(ct / "1.dcm")
    corrected.PatientName = "Mueller^Hans"
    corrected.save_as(ct / "1.dcm")
    said = cli("ingest", ct / "1.dcm", "--config", config_file)
    assert "1 newer versions" in said.out


def test_echo_of_an_unknown_destination_names_the_known_ones(cli: Cli, config_file: Path) -> None:
    said = cli("echo", "pacs", "--config", config_file)
    assert said.status == 2
    assert "there are: none" in said.err


def test_the_untrained_model_says_so(cli: Cli, config_file: Path) -> None:
    card = cli("model", "show", "--json", "--config", config_file).json()
    said = cli("model", "verify", "--config", config_file)
    assert said.status == 0
    assert ("UNTRAINED" in said.err) == (not card["trained"])


def test_a_nodule_is_listed_with_its_lung_its_slice_and_its_size(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    nodule = {
        "tracking_id": "Nodule 1",
        "centre_index": [84.0, 12.0, 30.0],
        "centre_mm": [1.0, 2.0, 3.0],
        "diameter_mm": 12.2,
        "probability": 0.731,
        "reason": None,
        "measurements": {"long_axis_mm": 12.4, "short_axis_mm": 8.6, "volume_mm3": 500.0},
        "location": {
            "side": "left",
            "lobe": None,
            "series_number": 4,
            "image_number": 43,
            "images": 133,
        },
    }
    before = {key: nodule[key] for key in nodule if key not in ("measurements", "location")}
    show_nodules([nodule, before])
    said = " ".join(capsys.readouterr().out.split())
    assert "left lung, Se 4, Im 43 / 133" in said
    assert "12 x 9 mm, mean 11 mm" in said
    assert "marked as 12 mm" in said  # of a job from before sizes were noted
