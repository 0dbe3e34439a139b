"""What lies below paths: every file once, and a folder that cannot be read is said."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.inbound.files import files_below, is_dicom_object

_NOBODY = 65534


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder that every user can get to, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="m3node-files-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def _without_privileges() -> Iterator[None]:
    """Root may read everything; nobody may not."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_folder_that_cannot_be_looked_into_is_named(anybodys: Path) -> None:
    (anybodys / "open").mkdir()
    (anybodys / "open" / "a").touch()
    (anybodys / "shut").mkdir(mode=0o700)
    (anybodys / "shut" / "b").touch()
    (anybodys / "shut").chmod(0)
    with _without_privileges():
        below = files_below([anybodys])
    (anybodys / "shut").chmod(0o700)
    assert below.files == (anybodys / "open" / "a",)
    assert [error.filename for error in below.unread] == [str(anybodys / "shut")]


def test_every_file_is_found_once(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "2").touch()
    (tmp_path / "a").touch()
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "d").symlink_to(tmp_path / "b")
    below = files_below([tmp_path, tmp_path / "a", tmp_path / "b"])
    assert [path.name for path in below.files] == ["a", "2"]
    assert below.unread == ()


def test_a_dicomdir_is_no_object(tmp_path: Path) -> None:
    path = tmp_path / "DICOMDIR"
    media = b"\x02\0\x02\0UI\x14\x001.2.840.10008.1.3.10"
    path.write_bytes(b"\0" * 128 + b"DICM" + media)
    assert not is_dicom_object(path)
