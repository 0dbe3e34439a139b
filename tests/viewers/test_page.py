"""The node's own page in headless Chromium: by keyboard, live, at phone width, in both themes.

Screenshots lie beside what was seen; a failing test names the folder.
"""

import json
import shutil
import subprocess
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind
from node.core.people import Role
from node.credentials import hashed
from node.persistence.people import AccountKind
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import arrive
from tests.node.web.serving import serving
from tests.viewers.conftest import Studies, once, shared_folder
from tests.viewers.packages import AXE, PLAYWRIGHT, require_packages

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]
PASSWORD = "seven dry leaves"
_SCRIPT = Path(__file__).with_name("page.cjs")
_PAGES = (
    "login",
    "studies",
    "study",
    "delete",
    "refused",
    "queue",
    "destinations",
    "model",
    "system",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPage:
    """What the browser told, and where its screenshots lie."""

    told: Any
    folder: Path


@pytest.fixture(scope="session")
def seen(answered: Studies, tmp_path_factory: pytest.TempPathFactory) -> SeenPage:
    """A judged study of the phantom, looked at and requeued by an operator."""
    require_packages()
    with shared_folder(tmp_path_factory) as shared:
        folder = shared / "node-page"
        once(shared / "node-page-seen", lambda: _look(answered, folder))
    return SeenPage(told=json.loads((folder / "page.json").read_text()), folder=folder)


def _look(answered: Studies, folder: Path) -> None:
    storage = folder / "storage"
    shutil.copytree(answered["judged"].storage, storage)
    store = open_store(f"sqlite:///{storage / 'm3node.sqlite'}")
    for name, role in (("anna", Role.OPERATOR), ("vera", Role.VIEWER)):
        store.add_account(
            AccountKind.USER, name, role=role, secret=hashed(PASSWORD), now=datetime.now(UTC)
        )
    _one_waits_again(store)
    _one_may_be_erased(store)
    stop = threading.Event()
    with serving(storage, store=store, stop=stop) as served:
        request = folder / "request.json"
        asked = {
            "playwright": str(PLAYWRIGHT.folder),
            "axe": str(AXE.folder / "axe.min.js"),
            "base": f"http://127.0.0.1:{served.port}",
            "out": str(folder),
            "name": "anna",
            "viewer": "vera",
            "password": PASSWORD,
            "accession": "A-judged",
            "erased": "A17",
        }
        request.write_text(json.dumps(asked))
        command = ["node", _SCRIPT, request]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as browser:
            assert browser.stdout is not None
            said = browser.stdout.readline()
            stop.set()
            said += browser.communicate(timeout=60)[0]
    if browser.returncode != 0:
        pytest.fail(f"the browser's script ended with {browser.returncode}:\n{said}\n{folder}")


def _one_waits_again(store: Store) -> None:
    """Something more of the judged study has come, and waits."""
    (row,) = store.list_studies()
    study = row.study_instance_uid
    more = replace(
        ct_slice(0),
        study_instance_uid=study,
        series_instance_uid=SeriesInstanceUID(f"{study}.9"),
        sop_instance_uid=SOPInstanceUID(f"{study}.9.1"),
    )
    arrive(store, more, identity=row.identity)
    _judged(store, study, Kind.STUDY_WAITS, "for 3 slices")


def _one_may_be_erased(store: Store) -> None:
    arrive(store, ct_slice(0))
    _judged(store, STUDY, Kind.STUDY_IGNORED, "nothing in it is for this node")


def _judged(store: Store, study: StudyInstanceUID, kind: Kind, reason: str) -> None:
    store.note_judgement(
        store.study_snapshot(study),
        kind=kind,
        reason=reason,
        look_again_at=None,
        now=datetime.now(UTC),
    )


def test_a_stranger_is_led_to_the_log_in_and_sees_the_studies_behind_it(seen: SeenPage) -> None:
    assert seen.told["first"] == "/login"
    assert seen.told["listed"] >= 1


def test_a_study_is_searched_and_opened_by_keyboard_and_the_focus_is_seen(seen: SeenPage) -> None:
    assert seen.told["found"] == 1
    assert seen.told["study"] == "Study A-judged"
    assert seen.told["focusIsSeen"] is True


def test_the_captures_are_shown_as_pictures(seen: SeenPage) -> None:
    assert seen.told["pictures"] == 3


def test_a_job_is_requeued_by_keyboard_and_the_diary_says_by_whom(seen: SeenPage) -> None:
    assert "Requeued." in seen.told["done"]
    assert "anna (operator) asked for job 1 again" in seen.told["diary"]


def test_another_screen_shows_it_without_being_reloaded(seen: SeenPage) -> None:
    assert seen.told["live"].startswith("Renewed at ")


def test_a_connection_that_is_lost_is_said(seen: SeenPage) -> None:
    assert "What stands here may be out of date." in seen.told["lost"]


def test_newer_objects_that_wait_are_told_of_beside_the_report(seen: SeenPage) -> None:
    waits, is_judged_again = seen.told["cautions"]
    assert "Newer objects of this study wait: for 3 slices." in waits
    assert "by another model or other settings, is being judged" in is_judged_again


def test_a_study_is_erased_by_keyboard_after_it_is_said_what_that_takes(seen: SeenPage) -> None:
    assert "1 objects received and 0 made" in seen.told["takes"]
    assert "The study is erased." in seen.told["erased"]
    assert "A-judged" in seen.told["left"]
    assert "A17" not in seen.told["left"]


def test_whoever_may_only_look_is_offered_nothing_and_refused_in_words(seen: SeenPage) -> None:
    assert seen.told["offered"] == 0
    assert "this needs the role operator, and yours is viewer" in seen.told["refused"]
    assert seen.told["posted"] == 403


def test_the_button_back_shows_no_patient_after_the_log_out(seen: SeenPage) -> None:
    assert seen.told["after"] == "/login"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", _PAGES)
def test_axe_finds_nothing_serious(seen: SeenPage, page: str, scheme: str) -> None:
    assert seen.told["axe"][f"{page} {scheme}"] == [], seen.folder


@pytest.mark.parametrize("page", _PAGES)
def test_nothing_is_beyond_the_edge_of_a_phone(seen: SeenPage, page: str) -> None:
    assert seen.told["widths"][page] == 320, seen.folder


def test_the_browser_complains_of_nothing(seen: SeenPage) -> None:
    assert seen.told["complained"] == []
