"""Fixtures shared by all tests."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline for an example would test the machine rather than the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# The longest files, longest first.
LONG_FILES = ("test_slurm.py", "test_workflow.py")
SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real images and labels; skip tests that need it where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no real data in ../shared/data")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def package_logging() -> Iterator[None]:
    """Undo what commands do to the logger of the package, after which `caplog` sees nothing."""
    root = logging.getLogger("claran_core")
    before = root.level, root.propagate, list(root.handlers)
    yield
    root.level, root.propagate, root.handlers = before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that parallel workers end together."""
    order = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
