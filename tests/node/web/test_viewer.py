"""OHIF's pages beside the node's own, and nothing of them where they are not given."""

from pathlib import Path

import pytest

from node.core.errors import ConfigError
from node.persistence.store import open_store
from tests.node.core.facts_of import STUDY
from tests.node.persistence.filling import queued
from tests.node.web.serving import serving


def pages(folder: Path) -> Path:
    """What an OHIF of one file looks like."""
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>OHIF</title>")
    (folder / "app.bundle.js").write_text("window.ohif = true;")
    return folder


def test_a_study_is_offered_in_the_viewer_which_asks_this_node(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    queued(store)
    with serving(tmp_path, store=store, web={"ohif_directory": pages(tmp_path / "ohif")}) as served:
        link = f"/viewer?StudyInstanceUIDs={STUDY}"
        assert f'href="{link}">Open in viewer</a>' in served.get(f"/study/{STUDY}").text
        viewer = served.get(link)
        assert "<title>OHIF</title>" in viewer.text
        assert "connect-src 'self'" in viewer.headers["Content-Security-Policy"]
        assert viewer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert '"wadoRoot": "/dicom-web"' in served.get("/app-config.js").text
        assert served.get("/app.bundle.js").text == "window.ohif = true;"
        assert "'unsafe-inline'" not in served.get("/").headers["Content-Security-Policy"]
        assert "Studies" in served.get("/").text
        assert served.get("/node.sqlite").status_code == 404
        assert served.get("/..%2fnode.sqlite").status_code == 404


def test_without_its_pages_nothing_is_offered(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    queued(store)
    with serving(tmp_path, store=store) as served:
        assert "Open in viewer" not in served.get(f"/study/{STUDY}").text
        assert served.get("/viewer").status_code == 404


def test_a_folder_without_pages_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"there is no index\.html in"),
        serving(tmp_path, web={"ohif_directory": tmp_path}),
    ):
        pass
