"""One Chromium for all browser tests of a process; each test has a tab that knows nothing of the others."""

from collections.abc import Iterator

import pytest

from rig.chromium import Browser, Page, open_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with open_browser() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.page() as opened:
        yield opened
