"""The queue on a real PostgreSQL server: what every database must do, and what only this one can get wrong."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy.exc import SQLAlchemyError

from model_server.errors import StartError, VolumeError
from model_server.jobs import database, schema
from model_server.jobs.job import State
from model_server.jobs.queue import Queue
from rig import postgres
from rig.postgres import Postgres

pytest.register_assert_rewrite("rig.queue_suite")
from rig.queue_suite import *  # noqa: E402, F403
from rig.queue_suite import CSV, LEASE, MAX_ATTEMPTS, Clock, in_threads, taken  # noqa: E402


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres.running() as started:
        yield started


@pytest.fixture
def url(server: Postgres) -> str:
    return server.make_database()


@pytest.fixture
def queue(url: str, clock: Clock) -> Iterator[Queue]:
    engine = database.open_postgres(url)
    yield Queue(engine, "m", MAX_ATTEMPTS, clock)
    engine.dispose()


def test_two_hosts_share_the_queue_and_never_a_job(url: str, queue: Queue, clock: Clock) -> None:
    other = Queue(database.open_postgres(url), "m", MAX_ATTEMPTS, clock)
    for number in range(60):
        (queue, other)[number % 2].put(str(number), CSV)
    claimed: list[str] = []

    def work(number: int) -> None:
        host = (queue, other)[number % 2]
        while (job := host.claim(str(number), LEASE)) is not None:
            claimed.append(job.id)
            assert host.complete(job, f"{job.id}-1")

    in_threads(6, work)
    assert sorted(claimed) == sorted(map(str, range(60)))


def test_servers_that_start_at_the_same_moment_make_one_table(url: str) -> None:
    opened: list[Queue] = []
    in_threads(6, lambda _: opened.append(Queue(database.open_postgres(url), "m", MAX_ATTEMPTS)))
    opened[0].put("1", CSV)
    assert all(queue.count() == 1 for queue in opened)


def test_a_database_of_an_older_server_is_brought_up_to_date_with_all_its_jobs(
    server: Postgres, url: str, queue: Queue, clock: Clock
) -> None:
    for name in "12":
        queue.put(name, CSV)
    assert queue.complete(taken(queue), "1-1")
    name = url.rpartition("/")[2]
    # As layout 2 was: what came later is taken away.
    server.execute(
        name, "ALTER TABLE jobs DROP COLUMN input_data, DROP COLUMN result_data; UPDATE owner SET layout = 2"
    )
    for _ in range(2):  # the second start finds nothing to do
        upgraded = Queue(database.open_postgres(url), "m", MAX_ATTEMPTS, clock)
        assert [(job.id, job.state, job.result) for job in upgraded.list(10)] == [
            ("2", State.CREATED, None),
            ("1", State.COMPLETE, "1-1"),
        ]
    assert server.execute(name, "SELECT model, layout FROM owner").strip() == f"m|{schema.LAYOUT}"
    small = replace(upgraded.new("3", CSV), content=b"small")
    assert upgraded.add(small).result().id == "3"
    assert [taken(upgraded).id, taken(upgraded).content] == ["2", b"small"]


def test_the_database_of_another_model_is_refused_by_name(url: str, queue: Queue) -> None:
    with pytest.raises(VolumeError, match="belongs to the model 'm', this image is 'wine'"):
        Queue(database.open_postgres(url), "wine", MAX_ATTEMPTS)


def test_a_database_that_dropped_its_connections_is_found_again(server: Postgres, url: str, queue: Queue) -> None:
    queue.put("1", CSV)
    drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    server.execute(url.rpartition("/")[2], drop)
    with pytest.raises(SQLAlchemyError):  # it was used a moment ago, and is trusted
        taken(queue)
    assert taken(queue).id == "1"
    server.execute(url.rpartition("/")[2], drop)
    time.sleep(1.1)
    assert queue.claim("a", LEASE) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("tester:", "tester:x"), "password authentication failed"),
        (("/jobs_", "/none_"), "does not exist"),
        (("@127.0.0.1:", "@127.0.0.1:1"), ""),
    ],
)
def test_what_is_wrong_with_the_database_is_said_without_the_password(
    server: Postgres, url: str, change: tuple[str, str], reason: str
) -> None:
    with pytest.raises(StartError) as caught:
        database.open_postgres(url.replace(*change))
    assert reason in str(caught.value)
    assert server.password not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["mysql://a:secret@b/c", "nonsense secret", "postgresql://a:secret@b/c?sslmode=maybe"]
)
def test_a_wrong_url_is_said_without_its_content(wrong: str) -> None:
    with pytest.raises(StartError, match="MODEL_QUEUE_URL must look like") as caught:
        database.open_postgres(wrong)
    assert "secret" not in str(caught.value)
