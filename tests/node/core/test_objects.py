"""What a job's settings make of its results: the call, the frames, and what is said by default."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from m3net.uids import StudyInstanceUID
from m3net.weights import load_card
from node.core.objects import ResultSettings, Stamp
from sr_templates.pictures.layout import FRAME_BYTES

CARD = load_card("default")
SETTINGS = ResultSettings(
    report_series_number=9101,
    capture_series_number=9102,
    max_frames=16,
    max_capture_bytes=100_000_000,
    indeterminate_half_width=0.15,
    manufacturer="m3node",
    device_model="m3node",
    device_serial="1",
    software_version="0.1.0",
)
STAMP = Stamp(
    study_instance_uid=StudyInstanceUID("1.2"),
    input_digest="digest",
    analysis_id="analysis",
    revision=3,
    at=datetime(2026, 5, 6, 7, 8, tzinfo=UTC),
)


def test_by_default_a_ruler_is_no_nodule_and_one_is_of_100_mm_at_most() -> None:
    assert (SETTINGS.judge_unlabelled, SETTINGS.max_diameter_mm) == (False, 100.0)
    assert (SETTINGS.max_nodules, STAMP.numbered_above) == (500, 0)


@pytest.mark.parametrize(
    ("trained", "threshold", "makes_a_call"),
    [(True, 0.5, True), (False, 0.5, False), (True, None, False), (False, None, False)],
)
def test_a_model_makes_a_call_if_it_is_trained_and_has_a_threshold(
    trained: bool, threshold: float | None, makes_a_call: bool
) -> None:
    card = replace(CARD, trained=trained, threshold=threshold)
    assert (SETTINGS.band(card) is not None) is makes_a_call


@pytest.mark.parametrize(
    ("most", "bytes_for", "slices"),
    [(16, 100.0, 15), (2, 100.0, 1), (1, 100.0, 1), (16, 3.9, 2), (16, 3.0, 2), (16, 0.5, 1)],
)
def test_of_the_frames_that_number_and_size_allow_one_is_the_overview(
    most: int, bytes_for: float, slices: int
) -> None:
    settings = replace(SETTINGS, max_frames=most, max_capture_bytes=int(bytes_for * FRAME_BYTES))
    look = settings.look(STAMP)
    assert (look.max_slices, look.revision) == (slices, 3)
    assert isinstance(look.max_slices, int)
