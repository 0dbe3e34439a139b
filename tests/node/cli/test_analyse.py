"""`m3node analyse`: what it prints, and with which exit status it ends."""

import json
from pathlib import Path

import pytest

from tests.acceptance import studies
from tests.node.cli.conftest import Cli
from tests.node.offline.conftest import write


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M3NODE_MODEL__WEIGHTS", "untrained")
    monkeypatch.setenv("M3NODE_RESULTS__MAX_FRAMES", "2")


def test_the_exit_status_says_whether_all_was_analysed(cli: Cli, tmp_path: Path) -> None:
    phantom = studies.phantom("analyse", slices=40)
    out = tmp_path / "out"
    write(tmp_path / "in", studies.marked(phantom))
    said = cli("analyse", "in", "--out", out, "--device", "cpu")
    assert said.status == 0
    uid = studies.study_uid(phantom)
    assert said.out.splitlines() == [
        f"1/1  {uid}: UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed.",
        "1 analysed",
        "1 study, 0 finished before; 0 files skipped, 0 refused",
        f"table: {out / 'results.jsonl'}",
    ]
    write(tmp_path / "in" / "bare", studies.phantom("bare", slices=8).ct)
    said = cli("analyse", "in", "--out", out, "--json")
    summary = said.json()
    assert (said.status, summary["exit_status"]) == (3, 3)
    assert sorted((s["outcome"], s["finished_before"]) for s in summary["studies"]) == [
        ("analysed", True),
        ("not_annotated", False),
    ]
    (tmp_path / "in" / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x08\0\x18\0UI")
    said = cli("analyse", "in", "--out", out)
    assert said.status == 1
    assert "refused in/broken.dcm: 0xC000" in said.err


def test_what_cannot_be_is_said_in_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert cli("analyse", "nowhere", "--out", "out").status == 2
    assert cli("analyse", "in").status == 2
    said = cli("analyse", "in", "--out", "out")
    assert (said.status, said.err) == (1, "no study was found\n")
    said = cli("analyse", "in", "--out", "in/../in", "--config", "none.toml")
    assert (said.status, said.err.count("\n")) == (1, 1)
    (tmp_path / "in" / "mine.txt").touch()
    said = cli("analyse", "in", "--out", "in")
    assert said.status == 1
    assert "in holds something else; name an empty folder, or a new one" in said.err


def test_the_json_is_all_that_is_printed(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no DICOM")
    said = cli("analyse", "in", "--out", "out", "--json")
    assert json.loads(said.out)["skipped"] == ["in/notes.txt"]
    assert (said.status, said.err) == (1, "")
