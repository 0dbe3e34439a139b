"""DICOMweb clients as they are, against the node's web server."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import requests
from dicomweb_client import DICOMwebClient
from PIL import Image
from pydicom import dcmread
from pydicom.uid import generate_uid

from node.config import ReceiverConfig
from node.inbound.reading import Reading
from tests.node.core.facts_of import STUDY, THICK
from tests.node.objects import ct_image
from tests.node.web.dicomweb.posting import part10
from tests.node.web.dicomweb.test_store import kept
from tests.node.web.serving import Served, serving
from tests.peers import orthanc
from tests.required import require_binary

ROOT = Path(__file__).parents[2]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as it:
        yield it


def test_dicomweb_client_stores_in_one_chunked_body(served: Served) -> None:
    images = [ct_image(number, PixelData=os.urandom(1 << 19)) for number in range(5)]
    client = DICOMwebClient(served.url, chunk_size=100_000)
    answer = client.store_instances(images)
    assert [str(item.ReferencedSOPInstanceUID) for item in answer.ReferencedSOPSequence] == [
        f"{THICK}.{number}" for number in range(5)
    ]
    assert "FailedSOPSequence" not in answer
    held = kept(served)
    assert {uid: held[uid][-(1 << 19) :] for uid in held} == {
        str(image.SOPInstanceUID): image.PixelData for image in images
    }


def test_dicomweb_client_is_told_of_each_object_that_fails(served: Served) -> None:
    other = ct_image(1, StudyInstanceUID=generate_uid())
    client = DICOMwebClient(served.url)
    answer = client.store_instances([ct_image(0), other], study_instance_uid=STUDY)
    (failed,) = answer.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (f"{THICK}.1", 0xA900)
    with pytest.raises(requests.HTTPError, match="409"):
        client.store_instances([other], study_instance_uid=STUDY)


@pytest.mark.peers
def test_orthanc_stores_finds_and_retrieves(served: Served, tmp_path: Path) -> None:
    images = [ct_image(number) for number in range(3)]
    settings = {
        "DicomWeb": {
            "Enable": True,
            "Root": "/dicom-web/",
            "Servers": {"m3node": [f"{served.url}/"]},
        }
    }
    with orthanc(tmp_path, settings=settings, reaches=[served.port]) as peer:

        def asked(path: str, **question: object) -> object:
            wanted = Request(f"{peer.url}/dicom-web/servers/m3node{path}")
            wanted.data = json.dumps(question).encode()
            with urlopen(wanted, timeout=60) as answer:
                return json.load(answer)

        for image in images:
            peer.add(image)
        everything = peer.get("/studies")
        asked("/stow", Resources=everything, Synchronous=True)
        assert sorted(kept(served)) == [f"{THICK}.{number}" for number in range(3)]
        read_all(served)
        peer.clear()
        (found,) = asked("/qido", Uri="/studies", Arguments={"StudyInstanceUID": STUDY})
        assert found["0020000D"]["Value"] == STUDY  # as it simplifies what it is told
        assert asked("/qido", Uri="/studies", Arguments={"PatientID": "nobody"}) == []
        asked("/retrieve", Resources=[{"Study": STUDY}], Synchronous=True)
        assert peer.sop_instance_uids() == {f"{THICK}.{number}" for number in range(3)}
        assert peer.stored(f"{THICK}.2").PixelData == images[2].PixelData


def recipes() -> dict[str, str]:
    """What each line of the README's DICOMweb part is for, and the line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"### DICOMweb\n.*?```\n(.*?)```", text, re.DOTALL)
    assert block
    return dict(reversed(line.split("  # ")) for line in block[1].splitlines())


@pytest.mark.peers
def test_the_recipes_with_curl_do_what_they_say(served: Served, tmp_path: Path) -> None:
    require_binary("curl", "curl")
    (tmp_path / "FILE.dcm").write_bytes(part10(ct_image(0)))
    values = {"STUDY": STUDY, "SERIES": THICK, "INSTANCE": f"{THICK}.0"}
    said = {}
    for purpose, recipe in recipes().items():
        done = subprocess.run(
            ["bash", "-ec", recipe.replace(":8105", f":{served.port}")],
            cwd=tmp_path,
            env={**os.environ, **values},
            capture_output=True,
            timeout=60,
            check=True,
        )
        said[purpose] = done.stdout
        read_all(served)
    stored, found, _, metadata, _, ready = (json.loads(each or "0") for each in said.values())
    assert stored["00081199"]["Value"][0]["00081155"]["Value"] == [f"{THICK}.0"]
    assert found[0]["0020000D"]["Value"] == [STUDY]
    assert metadata[0]["00100020"]["Value"] == ["4711"]
    assert ready == {"status": "ok", "signs": []}
    assert dcmread(tmp_path / "slice.dcm").PixelData == ct_image(0).PixelData
    with Image.open(tmp_path / "slice.png") as picture:
        assert picture.size == (4, 4)


def read_all(served: Served) -> None:
    """What was stored is read, as the scheduler does in a node."""
    services = served.services
    Reading(services.store, services.spool, config=ReceiverConfig()).read(within_s=60)
