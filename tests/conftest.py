"""Fixtures that more than one folder of tests uses."""

import pytest

from tests import lidc

pytest_plugins = ["tests.shown"]


@pytest.fixture(scope="session")
def lidc_0001() -> lidc.LidcStudy:
    """A real chest CT with one nodule of four readers."""
    return lidc.study("LIDC-IDRI-0001")


@pytest.fixture(scope="session")
def lidc_0003() -> lidc.LidcStudy:
    """A real chest CT with four nodules."""
    return lidc.study("LIDC-IDRI-0003")
