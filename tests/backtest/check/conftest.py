from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One warm cache for all tests: filling it takes seconds."""
    return tmp_path_factory.mktemp("mypy")
