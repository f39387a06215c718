"""Two builds of a model on one queue, each in a process of its own."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from tests.rig.served_model import served


def add(url: str, name: str) -> str:
    files = {"File": ("x.csv", f"name\n{name}\n", "text/csv")}
    answer = requests.post(f"{url}/data/add-job", files=files, timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["id"])


def status(url: str, job: str, wait: int = 0) -> Any:
    return requests.get(f"{url}/data/status/{job}", params={"wait": wait}, timeout=60).json()["data"]["status"]


def done_by(url: str, job: str) -> str:
    """Return the build that did a job, once it is complete."""
    for _ in range(10):
        if status(url, job, wait=20) == "Complete":
            return requests.get(f"{url}/data/result/{job}", timeout=30).headers["X-Model-Build-Id"]
    raise AssertionError(status(url, job))


def test_a_job_waits_for_the_build_that_accepted_it_until_that_has_no_server(tmp_path: Path) -> None:
    shared = {
        "GAI_VOLUME_PATH": str(tmp_path / "data"),
        "MODEL_WORKERS": "1",
        "MODEL_DRAIN_SECONDS": "1",
    }
    first, second = tmp_path / "first", tmp_path / "second"
    with ExitStack() as of_blue, served(tmp_path / "green", shared, build_id="green") as green:
        blue = of_blue.enter_context(served(tmp_path / "blue", shared, build_id="blue"))
        busy, waits = add(blue, f"slow {first}"), add(blue, "waits")
        assert done_by(green, add(green, "new")) == "green"
        time.sleep(3)  # its idle worker looks into the queue every second
        assert status(green, waits) == "Created"
        first.touch()
        assert [done_by(green, job) for job in (busy, waits)] == ["blue", "blue"]

        stuck, left = add(blue, f"slow {second}"), add(blue, "left")
        of_blue.close()
        second.touch()
        assert [done_by(green, job) for job in (stuck, left)] == ["green", "green"]
