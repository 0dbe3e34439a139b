"""What is to be measured on a GPU runs on a CPU, with torch, numpy and safetensors alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu.measure import main

ROOT = Path(__file__).parents[2]
ABSENT = (
    "PIL SimpleITK click highdicom matplotlib pydantic pydicom pynetdicom rich sklearn sqlalchemy"
)
BARE = """
import runpy, sys
from importlib.machinery import PathFinder

class Bare:
    \"\"\"Finds all but scipy, for which the script has a stand-in.\"\"\"

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] != "scipy":
            return PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
absent, *sys.argv = sys.argv[1:]
sys.modules.update(dict.fromkeys(absent.split()))  # None: it cannot be imported
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_every_step_runs_without_another_package(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    script = str(ROOT / "tests" / "gpu" / "measure.py")
    asked = ["--device", "cpu", "--narrow", "--out", str(out)]
    for step in ("precision", "maps", "speed", "training"):
        asked += ["--step", step]
    done = subprocess.run(
        [sys.executable, "-c", BARE, ABSENT, script, *asked],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert json.loads(done.stdout) == found
    assert set(found["precision"]) == {
        f"{preset}_{name}"
        for preset in ("release", "paper", "small")
        for name in ("fp32", "tf32", "bf16")
    }
    assert max(v for k, v in found["precision"].items() if k.endswith(("fp32", "tf32"))) < 1e-5
    assert 0 < max(found["precision"].values()) < 0.05
    assert max(found["maps"].values()) < 1e-4
    assert set(found["speed"]) == {
        f"{preset}_fp32_2_{way}"
        for preset in ("small", "paper")
        for way in ("plain", "channels_last")
    }
    assert all(each["nodules_s"] > 0 for each in found["speed"].values())
    assert found["training"]["step_ms"] > 0


def test_two_processes_sum_the_gradient_of_one_and_no_step_is_run_twice(
    tmp_path: Path,
) -> None:
    out = tmp_path / "gpu.json"
    asked = ["--device", "cpu", "--narrow", "--out", str(out), "--step", "gradients"]
    main(asked)
    found = json.loads(out.read_text())
    assert found["gradients"]["relative"] < 1e-4
    kept = {**found, "gradients": {"relative": 7.0}}
    out.write_text(json.dumps(kept))
    main(asked)
    assert json.loads(out.read_text()) == kept


def test_two_devices_are_not_mixed(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    out.write_text('{"about": {"device": "another"}}')
    with pytest.raises(SystemExit, match=r"was measured on .*another.*; use another --out"):
        main(["--device", "cpu", "--narrow", "--out", str(out)])
