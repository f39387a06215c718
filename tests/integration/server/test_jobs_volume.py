"""The data volume at its edges: a network file system, a license that containers share. All of it real."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from chaos.hosts import ProcessHost, free_port, kill, payload
from machine import debian
from model_dockerize import licenses
from model_server import volume
from model_server.errors import VolumeError
from model_server.jobs import exclusive_lock
from tests.rig.waiting import eventually


@pytest.fixture
def network_folder(tmp_path: Path) -> Iterator[Path]:
    """Mount a folder of a real file system in user space, which is one that servers on other hosts may share."""
    if shutil.which("bindfs") is None:
        debian.refresh()
        debian.install("bindfs")
    behind, mount = tmp_path / "behind", tmp_path / "data"
    behind.mkdir()
    mount.mkdir()
    subprocess.run(["bindfs", str(behind), str(mount)], check=True, timeout=30)
    yield mount
    eventually(lambda: subprocess.run(["umount", str(mount)], check=False, capture_output=True).returncode == 0)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[ProcessHost]]:
    """Make no host yet; remove those that are put in."""
    made: list[ProcessHost] = []
    yield made
    for host in made:
        host.remove()


@pytest.mark.needs("root-on-debian")
def test_a_network_file_system_is_known_and_bears_one_server(
    network_folder: Path, tmp_path: Path, hosts: list[ProcessHost]
) -> None:
    assert volume.is_on_network(network_folder, Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    first = ProcessHost(tmp_path, "first", {})
    hosts.append(first)
    first.start()
    assert "journal DELETE" in first.log()
    second = subprocess.run(
        [sys.executable, "-m", "model_server"],
        env={**first.environment, "MODEL_SERVER_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "bears exactly one server" in second.stderr
    assert "MODEL_QUEUE_URL" in second.stderr
    job = requests.post(f"{first.url}/data/add-job", files={"File": payload(0, 1)}, timeout=10).json()["data"]["id"]
    assert requests.get(f"{first.url}/data/status/{job}?wait=20", timeout=30).json()["data"]["status"] == "Complete"
    server = first.server_pid()
    assert server is not None
    kill(server)
    first.kill_all()
    first.start()  # whoever died without a word frees the place after a while
    assert requests.get(f"{first.url}/data/status/{job}", timeout=10).json()["data"]["status"] == "Complete"
    server = first.server_pid()
    assert server is not None
    os.kill(server, signal.SIGTERM)
    eventually(lambda: first.server_pid() is None)
    first.start()  # and a clean end at once
    assert not list(network_folder.glob("tmp*"))


def test_a_frozen_server_whose_place_was_taken_stops(tmp_path: Path) -> None:
    beat = 0.05
    first = exclusive_lock.acquire(tmp_path, beat)
    with pytest.raises(VolumeError, match="exactly one server"):
        first.keep(lambda: None)
        exclusive_lock.acquire(tmp_path, beat)
    first.release()
    frozen = exclusive_lock.acquire(tmp_path, beat)
    second = exclusive_lock.acquire(tmp_path, beat)  # the first has not beaten
    lost: list[bool] = []
    frozen.keep(lambda: lost.append(True))
    eventually(lambda: lost)
    frozen.release()
    assert (tmp_path / "only-server.json").exists()  # the second's, untouched
    second.release()
    assert not (tmp_path / "only-server.json").exists()


def test_a_key_that_one_server_took_opens_the_others_on_the_volume(tmp_path: Path, hosts: list[ProcessHost]) -> None:
    public = licenses.make_pair(tmp_path / "publisher.pem")
    assert len(base64.urlsafe_b64decode(public + "==")) == 32
    for name in "ab":
        host = ProcessHost(tmp_path, name, {"MODEL_LICENSE_PUBLIC_KEY": public})
        hosts.append(host)
        host.start()
    first, second = hosts
    assert requests.post(f"{second.url}/data/add-job", files={"File": payload(0, 1)}, timeout=10).status_code == 403
    key = licenses.issue(tmp_path / "publisher.pem", "chaos", "Ann", "ann@example.com", 30)
    with closing(requests.post(f"{first.url}/api/license", json={"license": key}, timeout=10)) as answer:
        assert answer.status_code == 200
    assert requests.post(f"{second.url}/data/add-job", files={"File": payload(0, 1)}, timeout=10).status_code == 200


def test_every_line_of_the_log_is_json_where_that_is_wanted_with_the_jobs_id(
    tmp_path: Path, hosts: list[ProcessHost]
) -> None:
    host = ProcessHost(tmp_path, "host", {"MODEL_LOG_FORMAT": "json"})
    (tmp_path / "main.py").write_text(
        "import sys\nprint('from the program')\nopen(sys.argv[2], 'w')\n", encoding="utf-8"
    )
    hosts.append(host)
    host.start()
    files = {"File": ("private-name.txt", b"private data")}
    job = requests.post(f"{host.url}/data/add-job", files=files, timeout=10).json()["data"]["id"]
    requests.get(f"{host.url}/data/status/{job}?wait=20", timeout=30)

    def lines_of_the_job() -> list[str]:
        return [line for line in host.log().splitlines() if job in line]

    # Those of the program come by a pipe of their own.
    for words in ("created", "from the program"):
        eventually(lambda words=words: any(words in line for line in lines_of_the_job()), tell=host.log)
    events = [json.loads(line) for line in host.log().splitlines()]
    said = " ".join(event["message"] for event in events if event.get("job") == job)
    assert "created" in said and "from the program" in said
    assert all({"time", "level", "message"} <= event.keys() for event in events)
    assert "private" not in host.log()
