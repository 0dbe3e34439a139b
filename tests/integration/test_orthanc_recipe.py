"""deploy/orthanc/m3node.lua, in the real Orthanc."""

from pathlib import Path

from node.demo.receiving_scp import ReceivingSCP
from tests.node.scu import associated, small_object
from tests.peers import Orthanc, orthanc, wait_until

RECIPE = Path(__file__).parents[2] / "deploy" / "orthanc" / "m3node.lua"


def store(peer: Orthanc, calling: str, *numbers: int, series: str) -> None:
    with associated(peer.dicom_port, called="ORTHANC", calling=calling) as association:
        for number in numbers:
            image = small_object(number)
            image.SeriesInstanceUID = series
            assert association.send_c_store(image).Status == 0


def is_stable(peer: Orthanc, objects: int) -> bool:
    (study,) = peer.get("/studies?expand")
    return len(peer.get("/instances")) == objects and bool(study["IsStable"])


def test_a_study_goes_to_the_node_once_and_again_only_for_what_others_add(tmp_path: Path) -> None:
    with ReceivingSCP(tmp_path / "node", ae_title="M3NODE") as node:
        settings = {
            "StableAge": 1,
            "LuaScripts": [str(RECIPE)],
            "DicomModalities": {"m3node": ["M3NODE", "127.0.0.1", node.port]},
        }
        with orthanc(tmp_path, settings=settings, reaches=[node.port]) as peer:
            store(peer, "CT1", 1, 2, series="1.2.3.1")
            wait_until(lambda: len(node.files()) == 2, "the study is sent", 30)
            store(peer, "M3NODE", 3, series="1.2.3.2")
            wait_until(lambda: is_stable(peer, 3), "Orthanc has the result", 30)
            store(peer, "READER", 4, series="1.2.3.3")
            wait_until(lambda: len(node.files()) == 6, "the study is sent with what is new", 30)
    assert len(node.files()) == 6  # nothing went for the result alone
