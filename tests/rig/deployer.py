"""The AWS stages of one command in their order, without an image to build.

As a program: `python -m tests.rig.deployer PROXY_URL SIMULATOR_URL COURSE THERE`; the exit code is that of the run.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from tests.rig.fault_courses import COURSES, Course
from tests.rig.leaks import planted
from tests.rig.reports import reported

from model_dockerize.aws import client, ecs
from model_dockerize.aws.client import Aws
from model_dockerize.aws.ecs.rollout.follow import follow
from model_dockerize.aws.ecs.rollout.rollback import back_from_bake, end_pause, rollback
from model_dockerize.aws.ground.events import Pace
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Recorder, Report


class Quiet:
    """A display that shows nothing."""

    def begin(self, stage: str) -> None: ...

    def end(self, result: Any) -> None: ...

    def line(self, stage: str, level: str, text: str, file: Any = None, line: int | None = None) -> None: ...

    def transfer(self, stage: str, what: str, done: int, total: int) -> None: ...

    def tick(self) -> None: ...

    def secret(self, value: str) -> None: ...


def environment(url: str) -> dict[str, str]:
    """Return what points the product at the stand-ins."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIARIG",
        "AWS_SECRET_ACCESS_KEY": planted("secret-access-key"),
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def run_course(connect: Callable[[Run], Aws], course: Course, there: Mapping[str, str]) -> Report:
    """Run `course` once, among what was `there` before. `connect` signs in."""

    return reported(Run(course.settings(there), {}, Recorder(Quiet())), lambda run: course.act(run, connect(run)))


@contextmanager
def clocked(sleep: Callable[[float], None], monotonic: Callable[[], float]) -> Iterator[None]:
    """Let the follower of this process, and whoever waits for a stack, read that clock meanwhile."""
    waits = Pace.wait

    def wait(pace: Pace, what: str) -> None:
        pace.sleep = sleep
        waits(pace, what)

    with ExitStack() as clocks:
        clocks.enter_context(patch.object(Pace, "wait", wait))
        for function in (follow, rollback, end_pause, back_from_bake):
            given = partial(function, sleep=sleep, monotonic=monotonic)
            clocks.enter_context(patch.object(ecs, function.__name__, given))
        yield


def main() -> None:
    url, simulator, course, there = sys.argv[1:]

    def tick(seconds: float) -> float:
        request = urllib.request.Request(f"{simulator}/clock?sleep={seconds}", b"", method="POST")
        with urllib.request.urlopen(request) as answer:
            return float(answer.read().decode().split(":")[1].strip(" }"))

    def sleep(seconds: float) -> None:
        tick(seconds)
        time.sleep(0.01)

    with clocked(sleep, lambda: tick(0)):
        report = run_course(
            lambda run: client.connect(run.settings.aws, environment(url), run.recorder.stage("check").__enter__()),
            COURSES[course],
            json.loads(there),
        )
    if report.failure:
        print(report.failure, file=sys.stderr)
    sys.exit(report.exit_code)


if __name__ == "__main__":
    main()
