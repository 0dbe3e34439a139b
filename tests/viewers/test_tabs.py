"""Many tabs of the node's page in one Chromium, which has six connections to a server for all."""

import subprocess
from pathlib import Path

import pytest

from node.persistence.store import open_store
from tests.node.persistence.filling import queued
from tests.node.web.serving import serving
from tests.viewers.packages import PLAYWRIGHT, require_packages

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]
_SCRIPT = Path(__file__).with_name("tabs.cjs")


def test_any_number_of_tabs_opens_and_one_that_is_seen_again_tells_of_the_present(
    tmp_path: Path,
) -> None:
    require_packages()
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    with serving(tmp_path, store=store) as served:
        command = ["node", _SCRIPT, PLAYWRIGHT.folder, f"http://127.0.0.1:{served.port}/"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as browser:
            assert browser.stdout is not None
            assert browser.stdout.readline() == "opened\n"
            queued(store)
            said, _ = browser.communicate("see\n", timeout=60)
    assert said == "renewed\n"
