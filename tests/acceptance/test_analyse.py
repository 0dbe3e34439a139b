"""`m3node analyse` as a process: killed in the middle, it goes on where it was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance import studies
from tests.node.offline.conftest import write
from tests.peers import wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

_STUDIES = 3


def test_killed_half_way_it_goes_on_and_ends_with_the_same_table(tmp_path: Path) -> None:
    for number in range(_STUDIES):
        write(
            tmp_path / "in" / str(number),
            studies.marked(studies.phantom(f"killed-{number}", slices=40)),
        )
    out, whole = tmp_path / "out", tmp_path / "whole"
    with _start(tmp_path / "in", out) as process:
        wait_until(lambda: len(_finished(out)) >= 1, "a study is finished", 120)
        os.kill(process.pid, signal.SIGKILL)
    kept = _finished(out)
    assert 1 <= len(kept) < _STUDIES
    before = {path: path.stat().st_mtime_ns for path in kept}
    with _start(tmp_path / "in", out) as again:
        said = json.loads(again.communicate()[0])
    assert again.returncode == 0
    assert sum(study["finished_before"] for study in said["studies"]) == len(kept)
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    with _start(tmp_path / "in", whole) as in_one_go:
        in_one_go.communicate()
    assert (out / "results.jsonl").read_text() == (whole / "results.jsonl").read_text()
    assert len((out / "results.jsonl").read_text().splitlines()) == _STUDIES
    assert sorted(path.name for path in out.iterdir() if not path.is_dir()) == [
        ".m3node-analyse",
        "results.jsonl",
    ]


def _finished(out: Path) -> list[Path]:
    return sorted(out.glob("study_*/study.json"))


def _start(source: Path, out: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "node", "analyse", str(source), "--out", str(out), "--json"],
        stdout=subprocess.PIPE,
        env=dict(os.environ, M3NODE_MODEL__WEIGHTS="untrained", OMP_NUM_THREADS="1"),
        cwd=Path(__file__).parents[2],
    )
