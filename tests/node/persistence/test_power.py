"""A power cut at every step of every write: what was acknowledged is there, whole."""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from node.inbound.intake import Intake
from node.persistence.spool import Spool
from node.persistence.store import open_store
from tests.node.core.facts_of import STUDY
from tests.node.inbound.test_intake import NOW, encoded
from tests.node.objects import ct_image
from tests.node.persistence.forgetful import ForgetfulDisk, PowerCut, disk, whole


@pytest.fixture(autouse=True)
def empty(tmp_path: Path) -> None:
    """A database that is copied for every power cut."""
    open_store(f"sqlite:///{tmp_path / 'empty.sqlite'}").close()


SENT = (0, 1, 0)
"""Slices in the order in which they are sent: one comes twice."""


def receive(folder: Path, monkeypatch: pytest.MonkeyPatch, cut: int) -> tuple[ForgetfulDisk, int]:
    """All are sent to an empty node until the power goes; how many were acknowledged."""
    shutil.copy(folder.parent / "empty.sqlite", folder / "m3node.sqlite")
    store = open_store(f"sqlite:///{folder / 'm3node.sqlite'}")
    spool = Spool(folder / "spool")
    intake = Intake(spool=spool, store=store, min_free_bytes=0, clock=lambda: NOW)
    acknowledged = 0
    with disk(monkeypatch, cut=cut) as forgetful, suppress(PowerCut):
        for number in SENT:
            image = ct_image(number)
            intake.accept(
                encoded(image),
                sop_class_uid=CTImageStorage,
                sop_instance_uid=str(image.SOPInstanceUID),
                transfer_syntax_uid=ExplicitVRLittleEndian,
                sender_id=None,
            )
            acknowledged += 1
    for files in forgetful.left():
        for row in store.list_instances(STUDY):
            kept = whole(files, spool.locate(row.path))
            assert kept is not None, f"cut {cut}: {row.path} is gone"
            assert hashlib.sha256(kept).hexdigest() == Path(row.path).stem, f"cut {cut}"
    known = {row.sop_instance_uid for row in store.list_instances(STUDY)}
    assert known >= {str(ct_image(number).SOPInstanceUID) for number in SENT[:acknowledged]}
    store.close()
    return forgetful, acknowledged


def test_whatever_has_a_row_survives_a_power_cut_at_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir()
    never, acknowledged = receive(tmp_path / "whole", monkeypatch, 0)
    assert acknowledged == len(SENT)
    for cut in range(1, never.steps + 1):
        folder = tmp_path / f"{cut}"
        folder.mkdir()
        _, acknowledged = receive(folder, monkeypatch, cut)
        assert acknowledged < len(SENT)


def test_the_disk_does_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that syncs no directory, or no file, is found out."""
    for forgotten in ("fsync_directory", "os.fsync"):
        folder = tmp_path / forgotten
        folder.mkdir()
        with monkeypatch.context() as patched:
            if forgotten == "fsync_directory":
                patched.setattr("node.persistence.spool.fsync_directory", lambda _: None)
            else:
                patched.setattr(ForgetfulDisk, "_fsync", lambda *_: None)
            with pytest.raises(AssertionError, match=r"is gone|cut 0"):
                receive(folder, monkeypatch, 0)
