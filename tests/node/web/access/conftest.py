"""Passwords are hashed quickly here; tests/node/test_credentials.py looks at how they are."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from node import credentials


@pytest.fixture(scope="package", autouse=True)
def _quick_hashes() -> Iterator[None]:
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    credentials._of_nobody.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "_hasher", lambda: quick)
        yield
    credentials._of_nobody.cache_clear()
