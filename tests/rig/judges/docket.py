"""Requests that cfn-lint judges together when the tests of a run are over: it is loaded once, not by every worker.

A refusal fails the run, and names the test that made the request first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.rig import judges
from tests.rig.judges import resources


@dataclass(eq=False)  # pytest keeps plugins in sets
class Docket:
    """A plugin of pytest: the requests of this process; in the main one those of all workers."""

    #: What is the same for requests that are judged alike -> the test that made the first, and the line of its request.
    noted: dict[str, tuple[str, str]] = field(default_factory=dict)
    _test: str = ""
    _refused: list[str] = field(default_factory=list)

    def note(self, alike: str, request: str) -> None:
        """Put a request down as the running test's."""
        self.noted.setdefault(alike, (self._test, request))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Remember which test runs."""
        self._test = nodeid

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker noted. One that crashed says nothing, and has failed its test."""
        self.noted.update(getattr(node, "workeroutput", {}).get("docket", {}))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what was noted, or judge it."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["docket"] = self.noted
        elif refused := self.refused():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            self._refused = refused

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell why the run failed."""
        for said in self._refused:
            terminalreporter.write_line(said, red=True)

    def refused(self) -> list[str]:
        """Return the refusals, each with its test."""
        tests = [test for test, _ in self.noted.values()]
        requests = [judges.from_line(line) for _, line in self.noted.values()]
        judged = zip(tests, requests, resources.refusals(requests), strict=True)
        return [f"{test}: {judges.verdict(*request[:2], said)}" for test, request, said in judged if said]


def pytest_configure(config: pytest.Config) -> None:
    """Begin a docket."""
    config.pluginmanager.register(Docket(), "docket")


@pytest.fixture(scope="session", autouse=True)
def _every_request_is_judged(pytestconfig: pytest.Config) -> Iterator[None]:
    with judges.judging(pytestconfig.pluginmanager.get_plugin("docket").note):
        yield
