"""Preparing: each unit once, killed or not; what is left out has its reason."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from click.testing import CliRunner

from m3net.errors import SeriesUnusable
from training.cli import main
from training.data.crops import BlockSize, CropFolder
from training.data.cutouts import volume_of
from training.data.errors import CropsUnusable
from training.data.prepare import Cut, CutoutUnit, prepare
from training.data.voi import read_cutouts, read_labels


def _write(path: Path, voxels: np.ndarray) -> None:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.8, 2.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


@pytest.fixture
def voi(tmp_path: Path) -> Path:
    """Three cut-outs of two patients; every voxel of the n-th has 100 n HU."""
    folder = tmp_path / "voi"
    mask = np.zeros((3, 5, 7), np.uint8)
    mask[1, 2, 3] = 1
    rows = ["file,patient_id,malignancy_scores"]
    for number in range(3):
        _write(folder / "image" / f"n{number}.nii.gz", np.full(mask.shape, 100 * number, np.int16))
        _write(folder / "mask" / f"n{number}.nii.gz", mask)
        rows.append(f"n{number}.nii.gz,P{number // 2},{number + 2} 4")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def _units(voi: Path) -> list[CutoutUnit]:
    return [CutoutUnit(directory=voi, label=label) for label in read_labels(voi)]


def test_a_cutout_becomes_a_crop_that_ends_where_it_does(voi: Path, tmp_path: Path) -> None:
    done = prepare(_units(voi), tmp_path / "out", source={"kind": "voi"})
    assert (done.crops, done.malignant, done.patients, done.skipped) == (3, 2, 2, [])
    folder = CropFolder(tmp_path / "out")
    assert [label.scores for label in folder.labels] == [(2, 4), (3, 4), (4, 4)]
    crop = folder.read(folder.labels[2])
    assert crop.ends.all()
    cutout = read_cutouts(voi)[2]
    assert np.array_equal(crop.volume.hu, volume_of(cutout).hu)
    assert crop.nodule.mask is not None
    assert np.array_equal(crop.nodule.mask.voxels, cutout.mask)


def test_two_processes_prepare_what_one_does(voi: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        prepare(_units(voi), tmp_path / f"{jobs}", source={"kind": "voi"}, jobs=jobs)
    one, two = CropFolder(tmp_path / "1"), CropFolder(tmp_path / "2")
    assert one.labels == two.labels
    for label in one.labels:
        assert np.array_equal(one.read(label).volume.hu, two.read(label).volume.hu)


@dataclass(frozen=True)
class _Odd:
    """A unit that fails."""

    name: str
    error: Exception

    def cut(self, size: BlockSize) -> Cut:
        raise self.error


def test_a_unit_that_fails_is_left_out_with_its_reason(voi: Path, tmp_path: Path) -> None:
    units = [
        _Odd("1.2.3", SeriesUnusable("it has gaps")),
        *_units(voi),
        _Odd("1.2.4", RuntimeError("odd")),
    ]
    done = prepare(units, tmp_path / "out", source={})
    assert done.crops == 3
    assert [(each.name, each.reason) for each in done.skipped] == [
        ("1.2.3", "it has gaps"),
        ("1.2.4", "unforeseen RuntimeError: odd"),
    ]


def test_only_what_was_left_out_is_tried_again(voi: Path, tmp_path: Path) -> None:
    prepare([*_units(voi)[:2], _Odd("n2", SeriesUnusable("gone"))], tmp_path / "out", source={})
    todo: list[int] = []
    done = prepare(_units(voi), tmp_path / "out", source={}, on_begin=todo.append)
    assert todo == [1]
    assert (done.before, done.crops, done.skipped) == (2, 3, [])


def test_a_manifest_cut_in_the_middle_of_a_line_goes_on(voi: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(_units(voi), out, source={})
    lines = (out / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (out / "manifest.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:30])
    (out / "crops" / "n1.npz.123.part").write_bytes(b"half")
    with pytest.raises(CropsUnusable, match="was cut short"):
        CropFolder(out)
    assert prepare(_units(voi), out, source={}).before == 1
    assert len(CropFolder(out).labels) == 3
    assert not list(out.glob("crops/*.part"))
    assert all(json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines())


def test_a_folder_prepared_otherwise_is_not_mixed(voi: Path, tmp_path: Path) -> None:
    prepare(_units(voi), tmp_path / "out", source={"mask": "any"})
    for source, size in (({"mask": "half"}, BlockSize()), ({"mask": "any"}, BlockSize(depth=9))):
        with pytest.raises(CropsUnusable, match="name another folder"):
            prepare(_units(voi), tmp_path / "out", source=source, size=size)


def test_a_folder_with_other_things_in_it_is_left_alone(voi: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CropsUnusable, match="is not empty"):
        prepare(_units(voi), tmp_path, source={})


def test_a_command_killed_in_the_middle_goes_on(voi: Path, tmp_path: Path) -> None:
    killer = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from training.data.prepare import CutoutUnit, prepare\n"
        "from training.data.voi import read_labels\n"
        f"voi = Path({str(voi)!r})\n"
        "units = [CutoutUnit(directory=voi, label=label) for label in read_labels(voi)]\n"
        "die = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"prepare(units, Path({str(tmp_path / 'out')!r}), source={{}}, on_unit=die)\n"
    )
    killed = subprocess.run([sys.executable, "-c", killer], check=False)
    assert killed.returncode == -signal.SIGKILL
    done = prepare(_units(voi), tmp_path / "out", source={})
    assert (done.before, done.crops) == (1, 3)


def test_the_command_says_what_it_did(voi: Path, tmp_path: Path) -> None:
    (voi / "mask" / "n1.nii.gz").unlink()
    asked = ["prepare", "--voi", str(voi), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*asked, "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["crops"], said["malignant"], said["absent_series"]) == (2, 1, 0)
    assert said["skipped"][0]["name"] == "n1"


@pytest.mark.parametrize(
    "options",
    [[], ["--voi", ".", "--lidc", "."], ["--dicom", "."], ["--voi", ".", "--labels", "x"]],
)
def test_one_kind_of_input_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    (tmp_path / "x").touch()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["prepare", "--out", "out", *options])
    assert result.exit_code == 2


def test_help_and_preparing_need_no_torch() -> None:
    code = (
        "import sys, training.cli, training.cli.prepare\n"
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.lidc
def test_the_791_cutouts_are_prepared_as_they_are(data_directory: Path, tmp_path: Path) -> None:
    labels = read_labels(data_directory / "lidc-voi")[::40]
    units = [CutoutUnit(directory=data_directory / "lidc-voi", label=label) for label in labels]
    done = prepare(units, tmp_path / "out", source={"kind": "voi"})
    assert (done.crops, done.malignant) == (20, sum(label.malignant for label in labels))
