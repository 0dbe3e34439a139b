"""The real data beside the checkout, for tests that say so with the mark `lidc`."""

import os
from pathlib import Path

import pytest

from tests.required import unavailable


@pytest.fixture(scope="session")
def data_directory() -> Path:
    """TESTS_LIDC, or ../shared/data beside the checkout; without it the test is skipped."""
    default = Path(__file__).parents[3] / "shared" / "data"
    directory = Path(os.environ.get("TESTS_LIDC", default))
    if not (directory / "lidc_nodules_2625.csv").is_file():
        unavailable(f"no LIDC-IDRI data at {directory}: set TESTS_LIDC")
    return directory
