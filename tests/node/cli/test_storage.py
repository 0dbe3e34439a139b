"""The storage as a whole, and what leaves it, from the command line."""

import io
import json
from pathlib import Path

import pydicom

from m3net.uids import StudyInstanceUID
from node.app import open_database
from node.config import load_config
from node.core.errors import UnknownEntry
from node.core.results import ArtifactKind
from node.core.uids import result_series_uid
from node.persistence.spool import Spool
from node.persistence.store import Store
from tests.node.cli.conftest import PATIENT, STUDY, Cli

ACCESSION = PATIENT["AccessionNumber"]


def test_a_lost_database_is_made_again_and_nothing_is_judged_by_itself(
    cli: Cli, config_file: Path, store: Store, tmp_path: Path
) -> None:
    store.close()
    own = pydicom.dcmread(tmp_path / "ct" / "1.dcm")
    own.SeriesInstanceUID = result_series_uid(StudyInstanceUID(STUDY), ArtifactKind.CAPTURE)
    own.SOPInstanceUID = own.file_meta.MediaStorageSOPInstanceUID = "2.25.4711"
    encoded = io.BytesIO()
    own.save_as(encoded)
    Spool(tmp_path / "data" / "spool").write([encoded.getvalue()])
    for path in (tmp_path / "data").glob("m3node.sqlite*"):
        path.unlink()
    (tmp_path / "data" / "spool" / "ab" / f"ab{'0' * 62}.dcm").write_bytes(b"damaged")
    refused = cli("study", "list", "--config", config_file)
    assert "m3node rebuild" in refused.err
    said = cli("rebuild", "--config", config_file)
    assert said.status == 1
    assert "damaged: its bytes are not those of its name" in said.err
    assert said.out == (
        "4 objects found again, 1 of them results of this node; 1 studies wait for a person\n"
    )
    again = open_database(load_config(config_file, {}).database)
    try:
        row = again.find_study(ACCESSION)
        assert (row.study_instance_uid, row.identity.patient_id) == (STUDY, "PAT-4711")
        assert again.next_judgement() is None
        assert "the database was made again from the stored objects" in (row.waiting_for or "")
        assert cli("ingest", tmp_path / "ct", "--config", config_file).status == 0
        assert again.next_judgement() is not None, "what is sent again is judged"
    finally:
        again.close()
    assert cli("rebuild", "--config", config_file).err == (
        "error: the database knows stored objects: it is made again from the spool only if it is "
        "lost\n"
    )


def test_backup_verify_and_restore(
    cli: Cli, config_file: Path, store: Store, tmp_path: Path
) -> None:
    del store
    assert cli("backup", tmp_path / "saved", "--config", config_file).out == (
        f"{tmp_path / 'saved'} holds the database and 3 files\n"
    )
    assert cli("verify", "--config", config_file).out == "every file is as it was written\n"
    other = tmp_path / "other.toml"
    other.write_text('[storage]\ndirectory = "elsewhere"\n')
    said = cli("restore", tmp_path / "saved", "--config", other)
    assert said.out == "restored: the database and 3 files; 1 studies wait for a person\n"
    (victim, *_) = (tmp_path / "elsewhere" / "spool").rglob("*.dcm")
    victim.unlink()
    said = cli("verify", "--json", "--config", other)
    assert said.status == 1
    ((wrong, study),) = [(each["wrong"], each["study_instance_uid"]) for each in said.json()]
    assert (wrong, study) == ("missing", STUDY)
    assert cli("restore", tmp_path / "saved", "--config", other).status == 1


def test_an_erasure_says_beforehand_what_it_takes_and_needs_force_for_what_waits(
    cli: Cli, config_file: Path, store: Store
) -> None:
    delete = ("study", "delete", ACCESSION, "--config", config_file)
    said = cli(*delete, "--dry-run")
    assert said.status == 0
    assert said.out.startswith(f"study {STUDY}: 3 objects received, 0 made; 3 files, ")
    assert "it is still to be judged" in said.out
    assert store.find_study(ACCESSION).instances == 3
    refused = cli(*delete, "--yes")
    assert (refused.status, "--force erases it all the same" in refused.err) == (1, True)
    assert cli(*delete, "--yes", "--force").out.endswith("\nerased\n")
    try:
        store.find_study(ACCESSION)
    except UnknownEntry:
        assert store.erased(STUDY) is not None
    else:
        raise AssertionError("it is still there")


def test_a_plan_without_a_number_says_that_nothing_is_freed(
    cli: Cli, config_file: Path, store: Store
) -> None:
    del store
    said = cli("retention", "plan", "--config", config_file)
    assert said.out.endswith("nothing is freed: [retention] sets neither days nor watermark_gb\n")
    planned = json.loads(cli("retention", "plan", "--json", "--config", config_file).out)
    assert (planned["planned"], planned["freed_bytes"]) == ([], 0)
    assert planned["stored_bytes"] > 0
    said = cli("retention", "run", "--config", config_file)
    assert (said.status, said.out) == (1, "")
    assert "nothing is freed: [retention] sets neither days nor watermark_gb" in said.err


def test_what_stays_above_the_watermark_is_said_with_why(
    cli: Cli, config_file: Path, store: Store
) -> None:
    with config_file.open("a") as file:
        file.write("[retention]\nwatermark_gb = 1e-9\n")
    for verb in ("plan", "run"):
        said = cli("retention", verb, "--config", config_file)
        assert said.status == 0
        assert "GB more than retention.watermark_gb stay, since nothing else may go: " in said.out
    planned = cli("retention", "plan", "--json", "--config", config_file).json()
    assert planned["above_watermark_bytes"] == store.stored_bytes() - 1
