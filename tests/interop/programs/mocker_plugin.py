"""The part of pytest-mock's fixture that pymesos' own tests use."""

from unittest import mock

import pytest


class Mocker:
    """Mocks, and patches that end with the test."""

    Mock = mock.Mock

    def __init__(self):
        self.patches = []

    def patch(self, target, new):
        patch = mock.patch(target, new)
        patch.start()
        self.patches.append(patch)


@pytest.fixture
def mocker():
    one = Mocker()
    yield one
    for patch in reversed(one.patches):
        patch.stop()
