"""A file that comes in pieces is kept, or refused, as the same file on a disk is."""

import itertools
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from node.config import ReceiverConfig
from node.core.errors import SOP_CLASS_MISMATCH, Refused
from node.inbound.encoded import file_head
from node.inbound.identifiers import Identifiers
from node.inbound.intake import Intake
from node.inbound.streamed import FRONT, StreamedFile
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import THICK
from tests.node.inbound.test_intake import encoded
from tests.node.objects import ct_image

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_number = itertools.count()


def taken(ids: Identifiers, syntax: str) -> None:
    """Whatever it is."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'm3node.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def intake(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Intake:
    return Intake(
        spool=Spool(tmp_path_factory.mktemp("spool")),
        store=store,
        min_free_bytes=0,
        clock=lambda: NOW,
        config=ReceiverConfig(max_object_mb=1),
    )


def head(syntax: str, *, sop_class: str = CTImageStorage, instance: str = f"{THICK}.0") -> bytes:
    return file_head(sop_class, instance, syntax)


DATA = encoded(ct_image(0))
AT = DATA.index(b"\x10\x00\x10\x00PN")


def long_element(group: int, number: int, vr: bytes, length: int) -> bytes:
    """One of zeros."""
    return struct.pack("<HH2sxxL", group, number, vr, length) + bytes(length)


FILES: dict[str, bytes] = {
    "a file": head(ExplicitVRLittleEndian) + DATA,
    "no preamble": head(ExplicitVRLittleEndian)[128 + 4 :] + DATA,
    "no File Meta": DATA,
    "no File Meta, implicit": encoded(ct_image(0), ImplicitVRLittleEndian),
    "implicit": head(ImplicitVRLittleEndian) + encoded(ct_image(0), ImplicitVRLittleEndian),
    "big endian": head(ExplicitVRBigEndian) + encoded(ct_image(0), ExplicitVRBigEndian),
    "deflated": head(DeflatedExplicitVRLittleEndian)
    + encoded(ct_image(0), DeflatedExplicitVRLittleEndian),
    "a header that names another": head(ExplicitVRLittleEndian, instance="1.2.3") + DATA,
    "identifiers far behind": head(ExplicitVRLittleEndian)
    + DATA[:AT]
    + long_element(0x0009, 0x1001, b"UN", 80 << 10)
    + DATA[AT:],
    "a long File Meta": head(ExplicitVRLittleEndian)
    + long_element(2, 0x0102, b"OB", 70 << 10)
    + DATA,
    "a large one": head(ExplicitVRLittleEndian) + encoded(ct_image(0, PixelData=bytes(300_000))),
    "too large": head(ExplicitVRLittleEndian) + encoded(ct_image(0, PixelData=bytes(1 << 20))),
    "too large, deflated": head(DeflatedExplicitVRLittleEndian)
    + encoded(ct_image(0, PixelData=bytes(1 << 20)), DeflatedExplicitVRLittleEndian),
    "no DICOM": b"<html><head></head></html>" * 100,
    "short": b"DICM",
    "only a header": head(ExplicitVRLittleEndian),
    "cut off": (head(ExplicitVRLittleEndian) + DATA)[:-20],
    "cut off in its identifiers": (head(ExplicitVRLittleEndian) + DATA)[: AT + 364],
    "no study": head(ExplicitVRLittleEndian)
    + DATA.replace(b"\x20\x00\x0d\x00UI", b"\x20\x00\x0c\x00UI"),
    "twice the same element": head(ExplicitVRLittleEndian) + DATA[:40] + DATA,
}


def kept_or_not(spool: Spool, keep: Callable[[], object]) -> str:
    """Which file was kept, or why none was."""
    before = stored_files(spool)
    for path in before:
        path.unlink()
    try:
        keep()
    except Refused as refused:
        assert not stored_files(spool)
        return str(refused)
    (path,) = stored_files(spool)
    return path.name


def stored_files(spool: Spool) -> list[Path]:
    return list(spool.directory.glob("??/*.dcm"))


def streamed(intake: Intake, file: bytes, cuts: list[int]) -> None:
    with StreamedFile(intake, taken) as coming:
        at = 0
        for cut in itertools.cycle(cuts):
            if at >= len(file):
                break
            coming.write(memoryview(file)[at : at + cut])
            at += cut
        coming.keep(None)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("cuts", [[1 << 20], [1000], [131, 2]])
def test_it_is_kept_as_the_file_is(
    intake: Intake, tmp_path: Path, name: str, cuts: list[int]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(FILES[name])
    from_disk = kept_or_not(intake._spool, lambda: intake.accept_file(file, sender_id=None))
    in_pieces = kept_or_not(intake._spool, lambda: streamed(intake, FILES[name], cuts))
    assert in_pieces == from_disk
    assert not list((intake._spool.directory / "parts").iterdir())


@pytest.mark.filterwarnings("ignore")  # pydicom warns of nonsense; here it is the point
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mutated_file_is_kept_as_it_is_from_disk_or_refused(
    intake: Intake, tmp_path: Path, data: st.DataObject
) -> None:
    small = [content for content in FILES.values() if len(content) < 3000]
    content = bytearray(data.draw(st.sampled_from(small)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        if not content:
            return
    file = tmp_path / f"{next(_number)}"
    file.write_bytes(content)
    from_disk = kept_or_not(intake._spool, lambda: intake.accept_file(file, sender_id=None))
    cuts = data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=5))
    in_pieces = kept_or_not(intake._spool, lambda: streamed(intake, bytes(content), cuts))
    assert in_pieces == from_disk


def test_what_the_judge_refuses_is_dropped_as_soon_as_it_is_known(intake: Intake) -> None:
    seen = []

    def judge(ids: Identifiers, syntax: str) -> None:
        seen.append((ids.sop_instance_uid, syntax))
        raise Refused(SOP_CLASS_MISMATCH, "not here")

    with StreamedFile(intake, judge) as coming:
        coming.write(memoryview(FILES["a large one"])[: FRONT // 2])
        assert seen == [(f"{THICK}.0", ExplicitVRLittleEndian)]
        assert not list((intake._spool.directory / "parts").iterdir())
        coming.write(memoryview(FILES["a large one"])[FRONT // 2 :])
        for _ in range(2):
            with pytest.raises(Refused, match="0xA900: not here"):
                coming.keep(None)
    assert len(seen) == 1
