"""What the metrics' tests share."""

import pytest

from tests.animators.metrics import two_processes


@pytest.fixture(scope="session")
def in_two_processes():
    """What two processes with different numbers of clips found, by test module."""
    return two_processes.results()
