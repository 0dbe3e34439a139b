"""Objects that nothing here decodes, or that others have written: kept, whoever sends them."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom.dimse_primitives import C_STORE

from node.persistence.rows import Arrival
from tests import others
from tests.integration.queueing import open_node
from tests.integration.test_receiver import ct_slice, data_set, running
from tests.node.scu import CT, associated
from tests.peers import storescu

DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
MPEG4 = "1.2.840.10008.1.2.4.102"


def profile(tmp_path: Path, sop_class: str, syntax: str) -> list[str]:
    """storescu's options to propose one class in one transfer syntax."""
    path = tmp_path / "storescu.cfg"
    path.write_text(
        f"[[TransferSyntaxes]]\n[One]\nTransferSyntax1 = {syntax}\n"
        "[[PresentationContexts]]\n[Contexts]\n"
        f"PresentationContext1 = {sop_class}\\One\n"
        "[[Profiles]]\n[Only]\nPresentationContexts = Contexts\n"
    )
    return ["-xf", str(path), "Only"]


def undecodable(tmp_path: Path, syntax: str) -> Path:
    """A CT slice whose pixels say that they are encoded so."""
    path = ct_slice(tmp_path / "sent.dcm")
    sent = dcmread(path)
    sent.PixelData = encapsulate([b"\x78\x9c\x00\x00"])
    sent["PixelData"].VR = "OB"
    sent["PixelData"].is_undefined_length = True
    sent.file_meta.TransferSyntaxUID = UID(syntax)
    sent.save_as(path, implicit_vr=False, little_endian=True)
    return path


@pytest.mark.peers
def test_video_is_kept_as_it_came(tmp_path: Path) -> None:
    path = undecodable(tmp_path, MPEG4)
    with running(tmp_path) as node:
        result = storescu(node.port, [path], options=profile(tmp_path, CT, MPEG4))
        assert result.returncode == 0, result.stdout
        (kept,) = node.kept()
    assert kept.file_meta.TransferSyntaxUID == MPEG4
    assert kept.PixelData == dcmread(path).PixelData


def test_a_syntax_newer_than_every_library_here_is_kept_as_it_came(tmp_path: Path) -> None:
    """dcmtk 3.6.7 cannot speak on a context whose syntax it does not know: sent by pynetdicom."""
    path = undecodable(tmp_path, DEFLATED_FRAMES)
    with (
        running(tmp_path) as node,
        associated(node.port, sop_classes=(CT,), transfer_syntaxes=(DEFLATED_FRAMES,)) as sender,
    ):
        (context,) = sender.accepted_contexts
        request = C_STORE()
        request.MessageID, request.Priority = 1, 0
        request.AffectedSOPClassUID = CT
        request.AffectedSOPInstanceUID = dcmread(path).SOPInstanceUID
        request.DataSet = BytesIO(data_set(path))
        sender._reactor_checkpoint.clear()  # it would take the answer from us
        sender.dimse.send_msg(request, context.context_id)
        _, answer = sender.dimse.get_msg(block=True)
        sender._reactor_checkpoint.set()
        assert answer.Status == 0x0000
        (kept,) = node.kept()
    assert kept.file_meta.TransferSyntaxUID == DEFLATED_FRAMES
    assert kept.PixelData == dcmread(path).PixelData


@pytest.mark.peers
def test_every_object_of_others_is_answered_with_success(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        for path in sorted(others.folder().rglob("*.dcm")):
            sent = dcmread(path, force=True, stop_before_pixels=True)
            syntax = str(sent.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
            if syntax == DEFLATED_FRAMES:
                continue  # dcmtk cannot send it; the test above does
            options = profile(tmp_path, sent.SOPClassUID, syntax)
            result = storescu(node.port, [path], options=options)
            assert "Received Store Response (Success)" in result.stdout, (path.name, result.stdout)


def test_every_object_of_others_is_ingested(tmp_path: Path) -> None:
    store, _, intake = open_node(tmp_path / "node", min_free_bytes=0)
    try:
        for path in sorted(others.folder().rglob("*.dcm")):
            assert intake.accept_file(path, sender_id=None) in Arrival, path.name
    finally:
        store.close()
