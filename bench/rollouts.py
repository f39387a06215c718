"""Plays rollouts in the sandbox under constant load, and counts each answer and job by the build that gave it.

    nice -n 19 python bench/rollouts.py                      # all 31 of ours; an hour on a quiet machine
    python bench/rollouts.py --only blue-green,postgresql,wrong --rounds 3
    python bench/rollouts.py --fabfuel ecs-deploy/bin/ecs --action dist/index.js    # the same by others

Needs Docker Engine and PostgreSQL's programs. Peers are not part of this repository: `pip install ecs-deploy` in an
environment of its own; `dist/` of a release of aws-actions/amazon-ecs-deploy-task-definition, run by node.

A build counts as proved from the moment at which its own sample was answered rightly by a task of it: its log says so.
A build of before counts as proved. `untested` is, with blue-green, between that and the end of the pause, at which the
run has tested it. What a peer deploys has neither moment. An answer counts at the moment at which the client has it.

`refused`: nothing was accepted. Nobody listened, the answer was 503, or the load balancer got no connection to a
target (it says so with its 502; on AWS the metric TargetConnectionErrorCount counts these). `failed`: the program ended
itself, and its client was told so. `lost`: any other end that is no right answer, also none within five minutes.

"crash after 20 s" is a version whose program ends itself, 20 s after each of its starts. "container killed" (only where
it is named) kills the whole container instead, and with the only task die the connections that it has.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), *(str(_ROOT / name) for name in ("lib", "scripts", "tests"))]

import boto3  # noqa: E402
import docker  # noqa: E402
from tests.rig import postgres  # noqa: E402
from tests.rig.constant_load import ANSWERED, FAILED, LOST, OWN_CODE, REFUSED, Load, constant_load  # noqa: E402
from tests.rig.homes import furnish  # noqa: E402
from tests.rig.library_programs import REQUIREMENT  # noqa: E402
from tests.rig.sandbox_calls import ask_sandbox  # noqa: E402

from model_dockerize import sandbox  # noqa: E402
from model_dockerize.progress import Silent  # noqa: E402
from model_dockerize.sandbox import Sandbox  # noqa: E402
from model_dockerize.sandbox.record import CONTAINER_LABEL  # noqa: E402

_CACHE = Path(os.environ.get("BENCH_CACHE", Path.home() / ".cache" / "model-dockerize-bench"))
_PROGRAM = """import os, threading, time
from gravityai import gravityai as grav

time.sleep({load})


if {ends}:
    threading.Timer({ends}, os._exit, [{code}]).start()


def process(source, target):
    text = open(source).read()
    time.sleep(0.2 if text == "job" else 0)
    with open(target, "w") as out:
        out.write("{says} " + text)


if __name__ == "__main__":
    grav.wait_for_requests(process)
"""
#: The last one stays in production and goes on ending itself: no other is played after it.
_SCENARIOS = ("good", "wrong", "crash at start", "slow start", "killed", "cancelled", "scale-out", "crash after 20 s")
_NAMED_ONLY = ("container killed",)
_END_SECONDS = 20
_NEVER_PROVED = ("wrong", "crash at start")
_QUEUES = ("sqlite", "postgresql")
_WAYS = ("rolling", "blue-green", "canary")
_CLUSTER = "model-dockerize"
_MINUTE = 4  # seconds of the sandbox's minute; a killed run's pause has shorter ones
_OVER = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
_HEAD = (
    *("tool", "rollout", "queue", "scenario", "requests", "unproved", "untested", "wrong", "refused", "failed", "lost"),
    *("jobs", "unproved", "untested", "wrong", "failed", "lost", "push to traffic, s", "outcome"),
)


@dataclass
class Watch:
    """The new version's containers: when the first ran and proved itself; kills each at an age, in seconds."""

    instance: str
    former: set[str]  # images
    kill_at: float | None
    started: threading.Event = field(default_factory=threading.Event)
    proved: list[float] = field(default_factory=list)
    killed: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def follow(self) -> None:
        """Look until the end."""
        since: dict[str, float] = {}
        with contextlib.closing(docker.from_env()) as engine:
            while not self.over.wait(0.1):
                for one in engine.containers.list(filters={"label": f"{CONTAINER_LABEL}={self.instance}"}, sparse=True):
                    if one.attrs["Image"] in self.former or one.attrs["ImageID"] in self.former:
                        continue
                    age = time.monotonic() - since.setdefault(one.id, time.monotonic())
                    self.started.set()
                    with contextlib.suppress(docker.errors.APIError):
                        if self.kill_at is not None and age >= self.kill_at:
                            one.kill()
                            self.killed += 1
                        elif not self.proved:
                            self.proved += _proved_at(one.logs(timestamps=True).decode(errors="replace"))


def _proved_at(log: str) -> list[float]:
    found = re.findall(r"^(\S+?)(?:\d{3})?Z .*(?<!not )proved: ", log, re.M)
    return [datetime.fromisoformat(at + "+00:00").timestamp() for at in found[:1]]


@dataclass
class Service:
    """A service of one way and queue, whose first version runs."""

    tool: str  # that deploys next
    way: str
    queue: str
    box: Sandbox
    home: Path
    work: Path
    peers: dict[str, Path]
    url: str = ""
    version: int = 0
    secret: str = ""  # ARN of the queue's
    first: str = ""  # task definition

    @property
    def name(self) -> str:
        return f"rolled-{'peers' if self.peers else 'ours'}-{self.way}-{self.queue}"

    @property
    def folder(self) -> Path:
        return self.work / self.name

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": self.box.account_id, "aws_secret_access_key": self.box.secret_key}
        return boto3.client(service, region_name=self.box.region, endpoint_url=self.box.endpoint_url, **keys)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "CI"}
        return {**kept, "MODEL_DOCKERIZE_HOME": str(self.home), "PYTHONPATH": str(_ROOT / "lib")}

    def write(self, scenario: str) -> None:
        """Write the next version of the program."""
        self.version += 1
        (self.folder / "smoke").mkdir(parents=True, exist_ok=True)
        right = f"v{self.version}"
        says = "wrong" if scenario == "wrong" else right
        load, ends = 20 if scenario == "slow start" else 0, _END_SECONDS if scenario == "crash after 20 s" else 0
        program = _PROGRAM.format(load=load, ends=ends, code=OWN_CODE, says=says)
        (self.folder / "main.py").write_text(program, encoding="utf-8")
        (self.folder / "requirements.txt").write_text(REQUIREMENT + "\n", encoding="utf-8")
        (self.folder / "smoke/input.txt").write_text("x", encoding="utf-8")
        (self.folder / "smoke/expected.txt").write_text(f"{right} x", encoding="utf-8")

    def command(self, command: str, *more: str) -> list[str]:
        """Return a command of ours, as this service is set up."""
        argv = [sys.executable, "-m", "model_dockerize", command, str(self.folder), "--sandbox"]
        argv += ["--smoke-test", "service", "--image-name", self.name, "--report", str(self.report_file)]
        if command == "push":
            return argv
        argv += ["--create-job-def", "false"]
        argv += ["--load-balancer", "true", "--rollout", self.way, "--environment", "MODEL_WORKERS=3"]
        argv += ["--self-proof", "false" if self.peers else "true", "--bake-minutes", "1"]
        argv += ["--step-percent", "20", "--step-minutes", "1"] if self.way == "canary" else []
        if self.queue == "postgresql":
            argv += ["--queue-url", self.secret, "--volume", "data"]
        elif self.way == "rolling":
            argv += ["--volume", "data"]
        return [*argv, *more]

    @property
    def report_file(self) -> Path:
        return self.work / f"{self.name}.json"

    def report(self) -> dict[str, Any]:
        """Return the last report; empty: the run wrote none, or was killed before."""
        text = self.report_file.read_text(encoding="utf-8") if self.report_file.exists() else ""
        return dict(json.loads(text or "{}"))

    def run(self, argv: list[str]) -> None:
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}")

    def make(self) -> None:
        """Deploy the first version."""
        self.write("good")
        self.run(self.command("run"))
        self.url = str(self.report()["url"])
        self.settle()
        self.first = self.shown()["taskDefinition"]

    def destroy(self) -> None:
        """Remove what was made for it."""
        argv = [sys.executable, "-m", "model_dockerize", "destroy", str(self.folder), "--sandbox", "--yes"]
        self.run([*argv, "--image-name", self.name])
        subprocess.run(["docker", "image", "rm", "--force", self.name], capture_output=True, check=False)

    def shown(self) -> Any:
        return self.client("ecs").describe_services(cluster=_CLUSTER, services=[self.name])["services"][0]

    def settle(self, seconds: float = 240) -> str:
        """Wait until nothing is under way; return how ECS calls its last deployment."""
        end, status = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            seen = self.shown()
            arn = seen.get("currentServiceDeployment")
            ecs = self.client("ecs")
            found = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"] if arn else []
            status = found[0]["status"] if found else ""
            if status in _OVER and seen["runningCount"] == seen["desiredCount"] and len(seen["deployments"]) == 1:
                return str(status)
            time.sleep(0.5)
        return f"{status or 'nothing'} after {seconds:.0f} s"

    def images(self) -> set[str]:
        """Return the images of the containers that run now."""
        with contextlib.closing(docker.from_env()) as engine:
            found = engine.containers.list(filters={"label": f"{CONTAINER_LABEL}={self.box.instance}"}, sparse=True)
            return {one.attrs["Image"] for one in found} | {one.attrs["ImageID"] for one in found}

    def peers_command(self, uri: str) -> tuple[list[str], dict[str, str]]:
        """Return a peer's command for an image, and its environment."""
        keys = {"AWS_ACCESS_KEY_ID": self.box.account_id, "AWS_SECRET_ACCESS_KEY": self.box.secret_key}
        where = {"AWS_ENDPOINT_URL": self.box.endpoint_url, "AWS_REGION": self.box.region}
        environment = {**self.environment, **keys, **where, "AWS_DEFAULT_REGION": self.box.region}
        ecs = self.client("ecs")
        definition = ecs.describe_task_definition(taskDefinition=self.first)["taskDefinition"]
        container = definition["containerDefinitions"][0]
        if self.tool == "fabfuel":
            argv = [str(self.peers["fabfuel"]), "deploy", _CLUSTER, self.name, "--image", container["name"], uri]
            return [*argv, "--rollback", "--no-deregister"], environment
        container["image"] = uri
        file = self.work / "task-definition.json"
        file.write_text(json.dumps(definition, default=str), encoding="utf-8")
        inputs = {
            **{"TASK-DEFINITION": str(file), "SERVICE": self.name, "CLUSTER": _CLUSTER},
            **{"WAIT-FOR-SERVICE-STABILITY": "true", "WAIT-FOR-MINUTES": "5", "WAIT-MAX-DELAY-SECONDS": "15"},
        }
        output = self.work / "output"
        output.touch()
        environment |= {f"INPUT_{name}": value for name, value in inputs.items()} | {"GITHUB_OUTPUT": str(output)}
        return ["node", str(self.peers["action"])], environment


def play(service: Service, scenario: str) -> dict[str, Any]:
    """Play one rollout; return its row."""
    service.write(scenario)
    service.report_file.unlink(missing_ok=True)
    kills = {"crash at start": 0.0, "container killed": 20.0}
    watch = Watch(service.box.instance, service.images(), kills.get(scenario))
    ask_sandbox(service.box, "PUT", f"/_sandbox/minute/{1 if scenario == 'killed' else _MINUTE}")
    ask_sandbox(service.box, "DELETE", "/_sandbox/journal")
    watching = threading.Thread(target=watch.follow)
    watching.start()
    try:
        with constant_load(service.url) as load:
            # Without an answer of before nobody could tell what is new.
            _until(lambda: any(one.kind == ANSWERED for one in load.asked), 120)
            former = {one.version for one in [*load.asked, *load.jobs] if one.kind == ANSWERED}
            code = _rollout(service, scenario, watch)
            if scenario == "container killed":
                _until(lambda: watch.killed > 0, 30)
                time.sleep(6)
                watch.kill_at = None
            elif scenario == "crash after 20 s":
                time.sleep(1.5 * _END_SECONDS)
            status = service.settle()
            time.sleep(3)
    finally:
        watch.over.set()
        watching.join()
    report = service.report() if service.tool == "ours" else {}
    outcome = report.get("outcome") or {0: "green", -9: "killed"}.get(code, "red")
    calls = ask_sandbox(service.box, "GET", "/_sandbox/journal")["calls"]
    row = _counted(load, former, *_since_when(service, scenario, watch, calls))
    pushed = [call["at"] for call in calls if call["action"] == "PutImage"]
    new = [one.at for one in load.asked if one.kind == ANSWERED and one.version not in former]
    seconds = round(min(new) - max(pushed), 1) if new and pushed else None
    told = {"tool": service.tool, "rollout": service.way, "queue": service.queue, "scenario": scenario}
    return told | row | {"seconds": seconds, "outcome": f"{outcome}; ECS: {status}"}


def _since_when(service: Service, scenario: str, watch: Watch, calls: list[Any]) -> tuple[float, float]:
    """Return since when the new build was proved by a task of its own, and since when tested at the pause."""
    never = float("inf")
    proved = never if scenario in _NEVER_PROVED or not watch.proved else watch.proved[0]
    if service.way == "rolling":
        return proved, proved
    continued = [call["at"] for call in calls if call["action"] == "ContinueServiceDeployment"]
    return proved, max(proved, continued[0] if continued else never)


def _counted(load: Load, former: set[str], proved: float, tested: float) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for what, outcomes in (("requests", load.asked), ("jobs", load.jobs)):
        new = [one for one in outcomes if one.kind == ANSWERED and one.version not in former]
        row[what] = len(outcomes)
        row[f"{what}_unproved"] = sum(one.at < proved for one in new)
        row[f"{what}_untested"] = sum(proved <= one.at < tested for one in new)
        row[f"{what}_wrong"] = sum(one.version == "wrong" for one in new)
        if what == "requests":
            row["requests_refused"] = sum(one.kind == REFUSED for one in outcomes)
        row[f"{what}_failed"] = sum(one.kind == FAILED for one in outcomes)
        row[f"{what}_lost"] = sum(one.kind == LOST for one in outcomes)
    row["why"] = sorted({f"{one.kind}: {one.text}" for one in [*load.asked, *load.jobs] if one.kind in (FAILED, LOST)})[
        :5
    ]
    return row


def _rollout(service: Service, scenario: str, watch: Watch) -> int:
    """Start the tool, do to it what the scenario says, and return its exit code."""
    marker = service.work / "checking"
    marker.unlink(missing_ok=True)
    environment = service.environment
    if service.tool == "ours":
        argv = service.command("run")
        if scenario == "cancelled":
            check = service.work / "check.py"
            check.write_text(f"import pathlib, time\npathlib.Path({str(marker)!r}).touch()\ntime.sleep(60)\n")
            argv += ["--check", f"{sys.executable} {check}", "--on-cancel", "rollback"]
    else:
        service.run(service.command("push"))
        argv, environment = service.peers_command(str(service.report()["image_uri"]))
    log = (service.work / f"{service.name}.log").open("ab")
    tool = subprocess.Popen(argv, env=environment, stdout=log, stderr=log, start_new_session=True)
    with log:
        if scenario in ("killed", "scale-out"):
            _until(watch.started.is_set, 900)
        if scenario == "killed":
            os.killpg(tool.pid, signal.SIGKILL)
        elif scenario == "scale-out":
            service.client("ecs").update_service(cluster=_CLUSTER, service=service.name, desiredCount=2)
        elif scenario == "cancelled":
            _until(marker.exists, 900)
            tool.send_signal(signal.SIGTERM)
        return tool.wait()


def _until(is_so: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds:.0f} s")
        time.sleep(0.05)


def _restore(service: Service) -> None:
    """Bring the service back to one task, and a peer's to its first version, by ECS's own call."""
    ecs, wanted = service.client("ecs"), {}
    if service.shown()["desiredCount"] != 1:
        wanted["desiredCount"] = 1
    if service.peers and service.shown()["taskDefinition"] != service.first:
        wanted["taskDefinition"] = service.first
    if wanted:
        ecs.update_service(cluster=_CLUSTER, service=service.name, **wanted)
        service.settle()


def _plays(only: str, peers: dict[str, Path]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield way, queue and scenarios of a service.

    SQLite is for one task, a canary is for the seconds until it has traffic, and a peer knows neither pause nor test.
    """
    words = {word.strip() for word in only.split(",")} - {""}

    def chosen(all_of_them: tuple[str, ...], others: tuple[str, ...] = ()) -> list[str]:
        named = [one for one in (*all_of_them, *others) if one in words]
        return named or list(all_of_them)

    for queue in chosen(_QUEUES):
        for way in chosen(("rolling",) if peers else _WAYS):
            left_out = {"scale-out"} if queue == "sqlite" else set()
            left_out |= {"cancelled"} if peers else set()
            if way == "canary":
                left_out = {*_SCENARIOS, *_NAMED_ONLY} - ({"good"} if queue == "postgresql" else set())
            yield way, queue, [one for one in chosen(_SCENARIOS, _NAMED_ONLY) if one not in left_out]


def _print(row: dict[str, Any]) -> None:
    told = {**row, "seconds": "" if row["seconds"] is None else row["seconds"]}
    told.pop("why")
    print("| " + " | ".join(str(value) for value in told.values()) + " |", flush=True)
    for why in row["why"]:
        print(f"    {why}", file=sys.stderr, flush=True)


def main() -> None:
    """Print a row a rollout, then the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fabfuel", type=Path, help="program of ecs-deploy")
    parser.add_argument("--action", type=Path, help="index.js of amazon-ecs-deploy-task-definition")
    parser.add_argument("--only", default="", help="queues, rollouts and scenarios, with commas between them")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rows", type=Path, help="file to append each row to, as JSON")
    options = parser.parse_args()
    peers = {name: path for name in ("fabfuel", "action") if (path := getattr(options, name))}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was made is removed
    home, work = (Path(tempfile.mkdtemp(prefix=f"model-dockerize-{word}-")) for word in ("rollouts", "programs"))
    furnish(home, _CACHE / "sandbox")
    box, rows = sandbox.start(home, Silent()), []
    print(f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}", flush=True)
    try:
        with contextlib.closing(docker.from_env()) as engine:
            gateway = str(engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"])
        with postgres.running(gateway) as server:
            for way, queue, scenarios in _plays(options.only, peers):
                if not scenarios:
                    continue
                service = Service("ours", way, queue, box, home, work, peers)
                if queue == "postgresql":
                    secrets = service.client("secretsmanager")
                    made = secrets.create_secret(Name=f"{service.name}-queue", SecretString=server.make_database())
                    service.secret = made["ARN"]
                service.make()
                for scenario, service.tool in product(scenarios * options.rounds, peers or ["ours"]):
                    rows.append(row := play(service, scenario))
                    _print(row)
                    _restore(service)
                    if options.rows:
                        with options.rows.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(row) + "\n")
                service.destroy()
        sums = {key: sum(row[key] for row in rows) for key in rows[0] if key.startswith(("requests", "jobs"))}
        print("\nsum: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in sums.items()))
    finally:
        sandbox.stop(home, Silent())
        for folder in (home, work):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
