"""A process of a server from its start to its end: each part with what it is given, and the order of both."""

import logging
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_server import __version__, manifest, process, settings
from model_server.process import Common
from model_server.processes import Place
from model_server.self_proof import EXIT_NOT_PROVED
from model_server.settings import DEFAULT_MANIFEST
from model_server.volume import Volume
from tests.functional.server.conftest import manifest_text


class Part:
    """Stands for a part of a process: notes what is called of it."""

    def __init__(self, name: str, calls: list[Any], **given: Any) -> None:
        self._name, self._calls = name, calls
        self.__dict__.update(given)

    def __repr__(self) -> str:
        return self._name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *words: self._calls.append((f"{self._name}.{name}", *words))


class Stage:
    """A process whose parts do nothing."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.made: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}
        self.folder = folder
        self.patch = monkeypatch
        part = self.part
        self.lock: Any = None
        self.traces: Any = None
        self.proof: Any = None
        self.left = 0
        self.me = part("me", id="i" * 32, uploads=folder / "uploads", work=folder / "work")
        self.queue = part("queue", abandon_all=lambda owner: self.calls.append(("given back", owner)) or self.left)
        for name, result in {
            "Queue": self.queue,
            "Store": part("store", queue=self.queue),
            "Metrics": part("metrics"),
            "Housekeeper": part("keeper"),
            "Converters": part("converters"),
            "Heartbeat": part("heartbeat"),
            "Workers": part("workers", draining="draining", problem="problem", mode="mode", said="said"),
            "Worker": None,
            "Services": part("services"),
            "Said": part("last lines"),
            "Space": part("space"),
            "CallbackSender": part("sender"),
            "ThreadPoolExecutor": "the executor",
        }.items():
            self.make(process, name, result)
        self.engine = part("engine")
        monkeypatch.setattr(process, "_opened", lambda common: (self.lock, self.engine))
        monkeypatch.setattr(process, "_self_proof", lambda *words: self.made.update(proof=(words, {})) or self.proof)
        self.server = part("server", serve=lambda sockets: ("serves", sockets), stop_at_once="stops")
        monkeypatch.setattr(process, "_server", lambda *words: self.made.update(server=(words, {})) or self.server)
        monkeypatch.setattr(process.licenses, "of_image", lambda *words: ("licensing", *words))
        monkeypatch.setattr(process.instance, "register", lambda place: self.calls.append(("in", place)) or self.me)
        monkeypatch.setattr(process.database, "journal_mode", lambda engine: f"WAL of {engine}")
        monkeypatch.setattr(
            process.tracing, "of_environment", lambda *words: self.made.update(t=(words, {})) or self.traces
        )
        monkeypatch.setattr(process, "runner_of", lambda *words: ("runner", *words))
        monkeypatch.setattr(process, "_batches", lambda *words: self.made.update(b=(words, {})) or self.batches)
        self.batches = part("batches", members=["member 1", "member 2", "member 3"])
        self.loop = part("loop")
        self.make(process.asyncio, "Runner", self)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
        monkeypatch.setattr(tempfile, "tempdir", None)

    def part(self, name: str, **given: Any) -> Any:
        return Part(name, self.calls, **given)

    def make(self, where: Any, name: str, result: Any) -> None:
        def call(*words: Any, **named: Any) -> Any:
            self.made[name] = (words, named)
            return named if result is None else result

        self.patch.setattr(where, name, call)

    # As the runner of the loop:

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.append("the loop ends")

    def get_loop(self) -> Any:
        return self.loop

    def run(self, serving: Any) -> None:
        self.calls.append(serving)

    def process(self, number: int = 0, count: int = 1, limits: dict[str, int] | None = None, **variables: str) -> int:
        self.model = manifest.parse(manifest_text(self.folder, limits=limits or {}, build_id="b" * 300))
        self.settings = settings.from_environment({"MODEL_SERVER_PORT": "81", "MODEL_DRAIN_SECONDS": "9", **variables})
        self.family = self.part("family", number=number, count=count)
        self.data = Volume(self.folder)
        common = Common(self.settings, self.model, "access", self.data, bool(self.lock))  # type: ignore[arg-type]
        slots: Any = [SimpleNamespace(is_own_user=False)] * 2
        return process.run(common, Place(self.family, "listener", None), slots, "removes")  # type: ignore[arg-type]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Stage:
    caplog.set_level(logging.INFO, "model_server")
    return Stage(tmp_path, monkeypatch)


def told(stage: Stage, family: str = "") -> str:
    return (
        f"upper 1.2 (build {'b' * 300}, server {__version__}) on port 81{family}; data in {stage.folder}, "
        "journal WAL of engine; workers: 2; program: the server's own user"
    )


def names(stage: Stage) -> list[str]:
    return [call if isinstance(call, str) else str(call[0]) for call in stage.calls]


END = ["family.leave", "heartbeat.stop", "sender.stop"]


def test_the_first_process_begins_serves_and_ends_in_this_order(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    assert stage.process() == 0
    loop = stage.loop
    assert stage.calls == [
        *(("in", stage.folder / "instances"), ("keeper.take_over",)),
        *(("heartbeat.start",), ("keeper.start",), ("sender.start",)),
        ("loop.set_default_executor", "the executor"),
        *(("family.listen", loop), ("workers.start", loop), ("serves", ["listener"]), "the loop ends"),
        *(("family.leave",), ("heartbeat.stop",), ("sender.stop",), ("sender.join", 1)),
        *(("given back", "i" * 32), ("queue.close",), ("me.unregister", "removes"), ("engine.dispose",)),
    ]
    assert stage.made["ThreadPoolExecutor"] == ((2 + 40,), {})
    assert stage.made["Runner"] == ((), {"loop_factory": process.uvloop.new_event_loop})
    assert tempfile.tempdir == "/tmp"
    assert caplog.messages == [told(stage), "stopped"]


def test_each_part_is_made_of_what_it_needs(stage: Stage) -> None:
    limits = {"timeout_seconds": 7, "memory_mib": 8}
    stage.process(limits=limits, MODEL_MAX_ATTEMPTS="4", MODEL_LEASE_SECONDS="6", MODEL_FREE_BYTES="5")
    made, limit = stage.made, stage.settings.limits_of(stage.model)
    assert made["Queue"] == ((stage.engine, "upper", 4), {"build_id": "b" * 255})
    assert made["Store"] == ((stage.data, stage.queue, 4, stage.family), {})
    assert made["Metrics"] == (("upper", "1.2", "b" * 300, stage.family), {})
    (store, data, retention, locks, remove), _ = made["Housekeeper"]
    assert (repr(store), data, retention, locks, remove) == (
        *("store", stage.data, process.Retention(None, None), True, "removes"),
    )
    assert [repr(word) for word in made["proof"][0][2:]] == ["7", "converters"]
    (store, lease, owner, takes), _ = made["Heartbeat"]
    assert (repr(store), lease, owner, takes()) == ("store", 6.0, "i" * 32, True)
    assert made["t"] == ((os.environ, stage.model), {})
    (workers, converters), _ = made["Workers"]
    assert (len(workers), repr(converters)) == (2, "converters")
    (store, runner, heartbeat, metrics), named = made["Worker"]
    assert [repr(word) for word in (store, heartbeat, metrics)] == ["store", "heartbeat", "metrics"]
    kind, _, limits_of, folder, hidden = runner
    assert (kind, limits_of, folder.parent, hidden) == ("runner", limit, stage.folder / "work", stage.folder)
    assert len(folder.name) == 32
    prepare = named.pop("prepare")
    assert named == {
        **{"owner": "i" * 32, "timeout_seconds": 7, "lease_seconds": 6.0, "gate": None, "tracing": None},
    }
    assert prepare.func is process.data_of_jobs.prepare
    assert {name: repr(value) for name, value in prepare.keywords.items()} == {
        **{"manifest": repr(stage.model), "converters": "converters"},
    }
    (model, store, uploads), named = made["Services"]
    assert (model, repr(store), uploads) == (stage.model, "store", stage.folder / "uploads")
    calls = {name: named.pop(name)() for name in ("draining", "unproved", "worker_problem", "runner_mode")}
    assert calls == {"draining": "draining", "unproved": None, "worker_problem": "problem", "runner_mode": "mode"}
    assert {name: value if isinstance(value, str | tuple) else repr(value) for name, value in named.items()} == {
        **{"said": "last lines", "metrics": "metrics", "tracing": "None", "access": "access", "callback_hosts": ()},
        **{"space": "space", "converters": "converters", "siblings": "family"},
        "licensing": ("licensing", stage.model, DEFAULT_MANIFEST, stage.settings, stage.folder),
    }
    assert made["Said"] == (("said", stage.family), {})
    assert made["Space"] == ((stage.folder / "uploads", 5, stage.family), {})
    (store, body, hosts), _ = made["CallbackSender"]
    assert (repr(store), body, hosts) == ("store", process.envelope.of_job, ())
    assert [repr(word) for word in made["server"][0]] == [
        *("services", "workers", "heartbeat", repr(stage.settings), "None"),
    ]


def test_another_process_only_beats(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.proof = "a proof"
    assert stage.process(number=1, count=2, MODEL_SERVER_PROCESSES="2") == 0
    started = [name for name in names(stage) if name.endswith(".start")]
    assert started == ["heartbeat.start", "workers.start"]
    assert "proof" not in stage.made
    assert "sender.join" not in names(stage)
    assert stage.made["Store"][0][2] == 2
    assert caplog.messages[0] == told(stage, ", process 2 of 2")


def test_the_place_on_a_network_is_kept_and_left(stage: Stage) -> None:
    stage.lock = stage.part("lock")
    stage.traces = stage.part("traces")
    stage.process()
    assert ("lock.keep", "stops") in stage.calls
    at = names(stage)
    assert at.index("workers.start") < at.index("lock.keep") < at.index("serves")
    assert at[-3:] == ["engine.dispose", "lock.release", "traces.stop"]
    assert stage.made["Housekeeper"][0][3] is True
    assert repr(stage.made["Worker"][1]["tracing"]) == "traces"


def test_on_a_network_without_a_lock_nobody_is_known_to_be_dead(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    common = Common.__init__

    def on_network(self: Common, *words: Any) -> None:
        common(self, *words[:-1], True)

    monkeypatch.setattr(Common, "__init__", on_network)
    stage.process(MODEL_QUEUE_URL="postgresql://h/n")
    assert stage.made["Housekeeper"][0][3] is False


def test_batches_begin_before_the_workers_and_bring_their_own(stage: Stage) -> None:
    stage.process(limits={"batch_records": 5, "batch_wait_ms": 6})
    assert [name for name in names(stage) if name.endswith(".start")][-2:] == ["batches.start", "workers.start"]
    (clients, model, limits, work), _ = stage.made["b"]
    assert ([client[0] for client in clients], model, work) == (["runner"] * 2, stage.model, stage.folder / "work")
    assert limits.batch_records == 5
    assert stage.made["Worker"][0][1] == "member 3"
    assert len(stage.made["Workers"][0][0]) == 3
    assert stage.made["ThreadPoolExecutor"] == ((3 + 40,), {})


@pytest.mark.parametrize(
    ("failure", "stopped", "code"), [(None, False, 0), ("wrong", True, 0), ("wrong", False, EXIT_NOT_PROVED)]
)
def test_a_model_that_is_not_proved_ends_the_server_with_its_code(
    stage: Stage, failure: str | None, stopped: bool, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    stage.proof, stage.left = SimpleNamespace(failure=failure, is_stopped=stopped, waiting_for="the sample"), 3
    assert stage.process() == code
    assert stage.made["Worker"][1]["gate"] is stage.proof
    assert stage.made["server"][0][4] is stage.proof
    assert stage.made["Services"][1]["unproved"]() == "the sample"
    assert stage.made["Heartbeat"][0][3]() is False
    stage.proof.waiting_for = None
    assert stage.made["Services"][1]["unproved"]() is None
    assert stage.made["Heartbeat"][0][3]() is True
    assert caplog.messages[-1] == "stopped; 3 job(s) given back unfinished"
