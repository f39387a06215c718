"""No job is lost and none recorded twice while servers, runners and hosts are killed; tests/chaos has more."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.hosts import Host
from chaos.jobs import LEASE_SECONDS, processes, torment
from rig import postgres


@pytest.fixture(params=["sqlite", "postgres", "mode library"])
def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Host]]:
    environment = {"MODEL_LEASE_SECONDS": str(LEASE_SECONDS), "MODEL_WORKERS": "2"}
    python = request.getfixturevalue("library_python") if request.param == "mode library" else ""
    with contextlib.ExitStack() as stack:
        if request.param == "postgres":
            environment["MODEL_QUEUE_URL"] = stack.enter_context(postgres.running()).make_database()
        yield stack.enter_context(processes(tmp_path, environment, python))


def test_killed_at_random_no_job_is_lost_and_none_recorded_twice(hosts: list[Host], tmp_path: Path) -> None:
    count = torment(hosts, tmp_path / "diary", jobs=60, kills=8, seed=1)
    assert count.passed, count
    assert sum(count.kills.values()) >= 6, count  # or it was no trial
    assert count.started_again >= 1, count
