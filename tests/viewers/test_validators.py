"""Other people's tools on what arrived: no error; the text or the picture is there."""

from pathlib import Path

import pytest
from PIL import Image
from pydicom import Dataset

from tests import validators
from tests.viewers.conftest import Studies, of_kind
from tests.viewers.kinds import CAPTURES, KINDS, REPORTS, each

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]


@each(tuple(KINDS), "dciodvfy", "no error")
def test_dciodvfy_finds_no_error(answered: Studies, kind: str, tmp_path: Path) -> None:
    for dataset in of_kind(answered, kind):
        assert validators.dciodvfy(written(dataset, tmp_path)) == []


@each(REPORTS, "pixelmed", "no error")
def test_pixelmed_finds_its_template(answered: Studies, kind: str, tmp_path: Path) -> None:
    (report,) = of_kind(answered, kind)
    said = validators.pixelmed_sr(written(report, tmp_path))
    assert "Found Root Template TID_1500" in said


@each(REPORTS, "dsrdump", "the whole tree")
def test_dsrdump_prints_the_headline_before_all_else(
    answered: Studies, kind: str, tmp_path: Path
) -> None:
    (report,) = of_kind(answered, kind)
    _, tree = validators.dsrdump(written(report, tmp_path)).split("<CONTAINER", 1)
    assert answered[KINDS[kind][0]].headline in tree.splitlines()[1]


@each(("Key objects",), "dsrdump", "the whole tree")
def test_dsrdump_prints_the_key_objects(answered: Studies, kind: str, tmp_path: Path) -> None:
    (selection,) = of_kind(answered, kind)
    assert "IMAGE" in validators.dsrdump(written(selection, tmp_path))


@each(CAPTURES, "dcmj2pnm", "every frame")
def test_dcmj2pnm_draws_every_frame(answered: Studies, kind: str, tmp_path: Path) -> None:
    for dataset in of_kind(answered, kind):
        path = written(dataset, tmp_path)
        for frame in range(1, int(dataset.get("NumberOfFrames", 1)) + 1):
            drawn = validators.render(path, tmp_path / "drawn.png", frame=frame)
            with Image.open(drawn) as picture:
                assert picture.size == (dataset.Columns, dataset.Rows)


def written(dataset: Dataset, folder: Path) -> Path:
    """The object as a file; its pixels decoded, since not every tool reads what is compressed."""
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        dataset.decompress(generate_instance_uid=False)
    dataset.save_as(folder / "object.dcm", enforce_file_format=True)
    return folder / "object.dcm"
