"""A function that doubles a number, 8 clients: our durable jobs beside calls of other servers, in one run.

python bench/throughput.py [--seconds 4] [--rounds 3] [--workers 8] [--mode auto] [NAME ...]
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import load
import ours
import program_alone

HERE = Path(__file__).parent / "peers"
CACHE = Path(os.environ.get("BENCH_CACHE", Path.home() / ".cache/model-dockerize-bench"))
CLIENTS = 8
START_SECONDS = 30
Peer = tuple[str, Callable[[str, int, Path], list[str]], str, object, Callable[[object], object]]


def python_of(name: str, *requirements: str | Path) -> str | None:
    """Return the Python of an environment that has `requirements`, words of pip; None if they cannot be installed."""
    folder = CACHE / name
    python, installed, wanted = folder / "bin/python", folder / "installed", "\n".join(map(str, requirements))
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        done = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *requirements], capture_output=True, check=False
        )
        if done.returncode != 0:
            return None
        installed.write_text(wanted, encoding="utf-8")
    return str(python)


def mlserver(python: str, port: int, folder: Path, **more: int) -> list[str]:
    others = {"http_port": port, "grpc_port": ours.free_port(), "metrics_port": ours.free_port(), "host": "127.0.0.1"}
    (folder / "settings.json").write_text(json.dumps({**others, "debug": False, **more}))
    (folder / "model-settings.json").write_text(json.dumps({"name": "double", "implementation": "ml_server.Double"}))
    return [str(Path(python).with_name("mlserver")), "start", str(folder)]


def mlflow(python: str, port: int, folder: Path) -> list[str]:
    subprocess.run([python, str(HERE / "mlflow_model.py"), str(folder / "model")], check=True, capture_output=True)
    where = ["-m", str(folder / "model"), "--host", "127.0.0.1", "-p", str(port)]
    return [str(Path(python).with_name("mlflow")), "models", "serve", *where, "--env-manager", "local"]


TENSOR = {"inputs": [{"name": "x", "shape": [1], "datatype": "INT64", "data": [21]}]}
#: Its worker does not start with uvloop 0.22 and later, which has no loop before one runs.
MLSERVER = "mlserver uvloop<0.22"


def mlserver_peer(**more: int) -> Peer:
    return MLSERVER, partial(mlserver, **more), "/v2/models/double/infer", TENSOR, lambda a: a["outputs"][0]["data"][0]


#: name -> requirements, command, path, request, and what of the answer must be 42.
PEERS: dict[str, Peer] = {
    "litserve": (
        "litserve",
        lambda p, n, _: [p, "lit_server.py", str(n)],
        "/predict",
        {"input": 21},
        lambda a: a["output"],
    ),
    # As it comes, the model runs in a worker process, as ours does in its runners.
    "mlserver": mlserver_peer(),
    "mlserver without a worker": mlserver_peer(parallel_workers=0),
    "bentoml": (
        "bentoml",
        lambda p, n, _: [str(Path(p).with_name("bentoml")), "serve", "bento_service:Double", "--port", str(n)],
        "/double",
        {"value": 21},
        lambda a: a,
    ),
    "mlflow": ("mlflow", mlflow, "/invocations", {"inputs": [21]}, lambda a: a["predictions"][0]),
    "cog": (
        "cog",
        lambda p, _n, _f: [p, "-m", "cog.server.http", "--host", "127.0.0.1"],
        "/predictions",
        {"input": {"value": 21}},
        lambda a: a["output"],
    ),
}


def measure_peer(name: str, seconds: float) -> load.Load | str:
    requirement, command, path, request, read = PEERS[name]
    python = python_of(requirement.split()[0], *requirement.split())
    if python is None:
        return "could not be installed"
    body = json.dumps(request).encode()

    async def call(connection: load.Connection) -> bool:
        status, answer = await connection.call("POST", path, body, "application/json")
        try:
            return status == 200 and read(json.loads(answer)) == 42
        except (ValueError, KeyError, TypeError, IndexError):
            return False

    port = ours.free_port()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for path_of in HERE.iterdir():
            if path_of.is_file():
                shutil.copy(path_of, folder)
        log = folder / "log"
        environment = {**os.environ, "PORT": str(port), "BENTOML_DO_NOT_TRACK": "1", "HOME": text}
        environment["PATH"] = f"{Path(python).parent}:{os.environ['PATH']}"
        environment["COG_PREDICT_TYPE_STUB"] = "cog_runner.py:Predictor"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command(python, port, folder),
                cwd=folder,
                env=environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            ours.wait_for(f"http://127.0.0.1:{port}/", process)
            deadline = time.monotonic() + START_SECONDS
            while load.run(port, call, 1, 0.5).completed == 0 and time.monotonic() < deadline:
                time.sleep(0.2)
            load.run(port, call, CLIENTS, 2)
            return load.run(port, call, CLIENTS, seconds)
        except SystemExit:
            return "did not start: " + " ".join(log.read_text(errors="replace")[-200:].split())
        finally:
            process.terminate()  # BentoML's workers have a session of their own: it must end them itself
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


#: Ours -> what a client does: one request a job, as with the others, or add, wait and fetch.
OURS = {"ours": ours.run_job, "ours in three requests": ours.job}


ALONE = "our program without a server"


def measure_ours(name: str, seconds: float, workers: int, mode: str) -> load.Load | str:
    python = python_of("gravityai", "gravityai==0.1.4.post2")
    if python is None:
        return "the library could not be installed"
    with tempfile.TemporaryDirectory(dir=CACHE) as text:
        folder = Path(text)
        shutil.copy(HERE / "double.py", folder / "main.py")
        if name == ALONE:
            return program_alone.measure(python, folder / "main.py", CLIENTS, seconds)
        command = [python, "main.py", "{input}", "{output}"]
        (folder / "sample.txt").write_text("21", encoding="utf-8")
        environment = {"MODEL_WORKERS": str(workers), "MODEL_RUNNER_MODE": mode}
        with ours.server(folder, command, "sample.txt", **environment) as (port, _):
            deadline = time.monotonic() + START_SECONDS
            while load.run(port, lambda c: OURS[name](c, b"21", b"42"), 1, 0.5).completed == 0:  # the self-test
                if time.monotonic() > deadline:
                    return "its self-test did not end"
            load.run(port, lambda c: OURS[name](c, b"21", b"42"), CLIENTS, 2)
            return load.run(port, lambda c: OURS[name](c, b"21", b"42"), CLIENTS, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*OURS, ALONE, *PEERS])
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--workers", type=int, default=CLIENTS)
    parser.add_argument("--mode", default="auto", help="runner mode of ours")
    parser.add_argument("--rounds", type=int, default=3, help="all of them in turns, so often; the median counts")
    arguments = parser.parse_args()
    found: dict[str, list[load.Load]] = {name: [] for name in arguments.names}
    failed: dict[str, str] = {}
    for _ in range(arguments.rounds):
        for name in arguments.names:
            seconds, workers, mode = arguments.seconds, arguments.workers, arguments.mode
            one = measure_peer(name, seconds) if name in PEERS else measure_ours(name, seconds, workers, mode)
            if isinstance(one, str):
                failed[name] = one
            else:
                found[name].append(one)
    print("| server | completed a second | in its rounds | refused or wrong | median ms | p99 ms |")
    print("|---|---|---|---|---|---|")
    for name, loads in found.items():
        if name in failed or not loads:
            print(f"| {name} | {failed.get(name)} | | | | |")
            continue
        loads.sort(key=lambda one: one.rate)
        middle = loads[len(loads) // 2]
        numbers = f"{middle.refused} | {middle.median:.1f} | {middle.percentile(0.99):.1f}"
        print(f"| {name} | {middle.rate:.0f} | {', '.join(f'{one.rate:.0f}' for one in loads)} | {numbers} |")


if __name__ == "__main__":
    CACHE.mkdir(parents=True, exist_ok=True)
    main()
