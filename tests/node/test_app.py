"""The composition root: what of the configuration makes another analysis, and which forms."""

from pathlib import Path
from typing import Any

import pytest

from node.app import analysis_id_of, open_database, variants_of
from node.config import DatabaseConfig, DimseDestination, NodeConfig
from node.core.errors import ConfigError
from node.core.results import CaptureVariant, ReportVariant


def configured(**sections: dict[str, Any]) -> NodeConfig:
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


def destination(**forms: str) -> DimseDestination:
    return DimseDestination.model_validate(
        {"name": "d", "host": "h", "port": 1, "ae_title": "D"} | forms
    )


def test_auto_may_need_every_form() -> None:
    assert variants_of([destination()]) == (
        (ReportVariant.COMPREHENSIVE_3D, CaptureVariant.MULTI_FRAME),
        (ReportVariant.COMPREHENSIVE_3D, CaptureVariant.SINGLE_FRAME),
        (ReportVariant.COMPREHENSIVE, CaptureVariant.MULTI_FRAME),
        (ReportVariant.COMPREHENSIVE, CaptureVariant.SINGLE_FRAME),
    )


def test_forms_that_are_fixed_are_the_only_ones() -> None:
    fixed = destination(report="comprehensive", captures="single_frame")
    assert variants_of([fixed]) == ((ReportVariant.COMPREHENSIVE, CaptureVariant.SINGLE_FRAME),)


def test_without_a_destination_one_form_is_written() -> None:
    assert variants_of([]) == ((ReportVariant.COMPREHENSIVE_3D, CaptureVariant.MULTI_FRAME),)


def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    config = DatabaseConfig(
        url="postgresql+psycopg://m3node@db/m3node", password_file=tmp_path / "absent"
    )
    with pytest.raises(ConfigError, match=r"database\.password_file: .*absent cannot be read"):
        open_database(config)
