"""The composition root: what of the configuration makes another analysis, and what is written."""

from pathlib import Path
from typing import Any

import pytest

from node.app import analysis_id_of, open_database, result_settings
from node.config import DatabaseConfig, NodeConfig
from node.core.errors import ConfigError
from node.core.results import ArtifactKind


def configured(**sections: Any) -> NodeConfig:
    return NodeConfig.model_validate(sections)


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"precision": "bf16"}},
        {"results": {"max_frames": 3}},
        {"results": {"device_serial": "2"}},
        {"annotations": {"unlabelled": "judge"}},
        {"annotations": {"languages": ["de"]}},
    ],
)
def test_a_setting_that_changes_content_is_another_analysis(change: dict[str, Any]) -> None:
    assert analysis_id_of(configured(**change)) != analysis_id_of(configured())


@pytest.mark.parametrize(
    "change",
    [
        {"receiver": {"port": 104}},
        {"model": {"device": "cpu"}},
        {"worker": {"max_attempts": 9}},
        {"study": {"quiet_period_s": 1}},
    ],
)
def test_a_setting_that_changes_no_content_is_the_same_analysis(change: dict[str, Any]) -> None:
    assert analysis_id_of(configured(**change)) == analysis_id_of(configured())


def test_what_some_destination_asks_for_beside_the_report_is_written() -> None:
    viewer = {"kind": "dimse", "host": "h", "port": 1, "ae_title": "D"}
    config = configured(
        destinations=[
            {"name": "pacs", **viewer},
            {"name": "desk", **viewer, "profile": "weasis", "companions": ["key_objects"]},
            {"name": "old", **viewer, "profile": "basic"},
        ]
    )
    assert result_settings(config).companions == {ArtifactKind.KEY_OBJECTS, ArtifactKind.PDF}
    assert result_settings(configured()).companions == frozenset()


def test_a_pdf_for_everybody_is_no_other_analysis() -> None:
    pacs = {"kind": "dimse", "name": "pacs", "host": "h", "port": 1, "ae_title": "D"}
    config = configured(destinations=[pacs], results={"report_pdf": True})
    assert result_settings(config).companions == {ArtifactKind.PDF}
    assert config.destinations[0].wishes().companions == {ArtifactKind.PDF}
    assert analysis_id_of(config) == analysis_id_of(configured())


def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    config = DatabaseConfig(
        url="postgresql+psycopg://m3node@db/m3node", password_file=tmp_path / "absent"
    )
    with pytest.raises(ConfigError, match=r"database\.password_file: .*absent cannot be read"):
        open_database(config)
