"""The queue on a real PostgreSQL server: what every database must do, and what only this one can get wrong."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from sqlalchemy.exc import SQLAlchemyError

from attacks.conftest import serving
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


class Relay:
    """A way to the database that can be closed: then nobody answers there."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        for end in (self._listener, *self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)


def test_while_the_database_is_away_every_path_is_503_and_then_all_is_well(server: Postgres, tmp_path: Path) -> None:
    relay = Relay(server.port)
    url = server.make_database().replace(f":{server.port}/", f":{relay.port}/")
    with serving(tmp_path, {"MODEL_QUEUE_URL": url}) as target:

        def sent(path: str, size: int = 2) -> requests.Response:
            return requests.post(f"{target.url}{path}", files={"File": b"a\n" * size}, timeout=30)

        job_id = sent("/data/add-job").json()["data"]["id"]
        assert sent("/data/run-job").ok
        slow = requests.post(f"{target.url}/data/add-job", files={"File": b"!sleep 2"}, timeout=5)
        running = slow.json()["data"]["id"]
        relay.close()
        of_job = [f"/data/{name}/{job_id}" for name in ("status", "result", "result/json", "result/csv")]
        for path in (*of_job, "/data/jobs", "/", "/Jobs", f"/Job/{job_id}", f"/Job/{job_id}/Delete", "/metrics"):
            answer = requests.get(f"{target.url}{path}", timeout=30)
            assert (path, answer.status_code, answer.headers.get("retry-after")) == (path, 503, "5")
        for answer in (
            *(sent(path, size) for path in ("/data/add-job", "/data/run-job") for size in (2, 20_000)),
            requests.delete(f"{target.url}/data/delete/{job_id}", timeout=30),
            requests.post(f"{target.url}/Job/{job_id}/Delete", timeout=30),
        ):
            assert (answer.url, answer.status_code, answer.headers.get("retry-after")) == (answer.url, 503, "5")
        ready = requests.get(f"{target.url}/ready?deep=1", timeout=30)
        assert (ready.status_code, ready.text) == (503, "Not ready: the job queue does not answer")
        assert requests.get(f"{target.url}/health", timeout=5).ok
        relay.open()
        for known in (job_id, running):
            status = requests.get(f"{target.url}/data/status/{known}?wait=40", timeout=60).json()
            assert status["data"]["status"] == "Complete"
        assert sent("/data/run-job").ok
        log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert server.password not in log


def test_an_id_that_no_database_could_hold_is_no_job(server: Postgres, tmp_path: Path) -> None:
    with serving(tmp_path, {"MODEL_QUEUE_URL": server.make_database()}) as target:
        for job_id in ("%00", "a%00b", "00000000-0000-4000-8000-0000000000%00"):
            for path in (f"/data/status/{job_id}", f"/data/result/{job_id}", f"/Job/{job_id}"):
                assert requests.get(f"{target.url}{path}", timeout=10).status_code == 404
            assert requests.delete(f"{target.url}/data/delete/{job_id}", timeout=10).status_code == 404
