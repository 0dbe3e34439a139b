"""Real processes: one killed with -9 in mid-epoch and resumed, and two that share every batch."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.training import learning
from training.learn.settings import load_settings
from training.learn.stage1 import stage1

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")

pytestmark = pytest.mark.acceptance


def _start(*arguments: str | Path, torchrun: Sequence[str] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, *torchrun, "-m", "training", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output


def _losses(run: Path) -> list[dict[str, float]]:
    return [{k: float(v) for k, v in row.items()} for row in learning.table(run / "losses.csv")]


def _wait_for_rows(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    path = run / "losses.csv"
    while not path.exists() or path.read_text().count("\n") < count:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.002)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage 2 on frozen backbones: twelve steps an epoch, two epochs, dropout, all terms."""
    directory = tmp_path_factory.mktemp("processes")
    cutouts = learning.write_cutouts(directory / "cutouts", nodules=72)
    run: dict[str, object] = {"epochs": 2, "batch_size": 4, "checkpoint_every_steps": 3}
    first = learning.write_config(directory / "first.json", cutouts, run=run)
    stage1(load_settings(first, changes=["run.epochs=1"]), directory / "s1")
    run["init"] = [str(directory / "s1" / "weights.safetensors")]
    return learning.write_config(directory / "config.json", cutouts, run=run)


@pytest.fixture(scope="module")
def unbroken(config: Path) -> Path:
    """The run folder of stage 2 in one process that nothing happened to."""
    run = config.parent / "unbroken"
    _finish(_start("stage2", "--config", config, "--out", run))
    return run


def test_a_run_killed_in_mid_epoch_goes_on_and_gives_the_same_losses(
    config: Path, unbroken: Path
) -> None:
    run = config.parent / "killed"
    process = _start("stage2", "--config", config, "--out", run)
    _wait_for_rows(run, 6, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(_losses(run)) < 24
    assert not (run / "summary.json").exists()
    _finish(_start("stage2", "--resume", "--out", run))
    _assert_alike(run, unbroken)


def test_two_processes_give_what_one_gives(config: Path, unbroken: Path) -> None:
    run = config.parent / "two"
    _finish(_start("stage2", "--config", config, "--out", run, torchrun=TORCHRUN))
    _assert_alike(run, unbroken)


def _assert_alike(run: Path, unbroken: Path) -> None:
    """To what floats allow: processes need not choose the same kernels."""
    one, two = _losses(unbroken), _losses(run)
    assert len(two) == len(one) == 24
    for expected, found in zip(one, two, strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    alone, other = (learning.table(folder / "test.csv") for folder in (unbroken, run))
    assert [row["name"] for row in alone] == [row["name"] for row in other]
    assert [float(row["p_fused"]) for row in other] == pytest.approx(
        [float(row["p_fused"]) for row in alone], abs=1e-4
    )
