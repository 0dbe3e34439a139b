"""The demo's little PACS keeps what it is sent."""

from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from node.demo.phantom import chest_phantom
from node.demo.receiving_scp import ReceivingSCP

pytestmark = pytest.mark.timeout(60)


def test_what_is_stored_lies_in_the_folder_in_order(tmp_path: Path):
    slices = chest_phantom(size=32, slices=3).ct
    with ReceivingSCP(tmp_path) as pacs:
        pacs.refuse_next = 1
        ae = AE()
        ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        association = ae.associate("127.0.0.1", pacs.port)
        answers = [association.send_c_store(ds).Status for ds in slices]
        association.release()
        assert answers == [0xA700, 0x0000, 0x0000]
        assert [ds.SOPInstanceUID for ds in pacs.received("CT")] == [
            ds.SOPInstanceUID for ds in slices[1:]
        ]
    assert [path.name for path in pacs.files()] == ["0001.dcm", "0002.dcm"]
