"""The deploying half of a run, without an image to build: what the stages ask of AWS, in their order.

As a program: `python -m tests.rig.deployer PROXY_URL SIMULATOR_URL`; the exit code is that of the run.
"""

import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from tests.rig.leaks import planted

from model_dockerize import aws
from model_dockerize.aws.rollout import follow, rollback
from model_dockerize.pipeline import ship
from model_dockerize.pipeline.context import Named, Prepared, Run
from model_dockerize.report import Recorder, Report
from model_dockerize.settings import to_settings
from model_dockerize.smoke import Expectation

BUILD = "0123456789ab"
MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {}, "layers": []}'


class Quiet:
    """A display that shows nothing."""

    def begin(self, stage: str) -> None: ...

    def end(self, result: Any) -> None: ...

    def line(self, stage: str, level: str, text: str, file: Any = None, line: int | None = None) -> None: ...

    def secret(self, value: str) -> None: ...


def environment(url: str) -> dict[str, str]:
    """What points the product at the stand-ins."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIARIG",
        "AWS_SECRET_ACCESS_KEY": planted("secret-access-key"),
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def deploy(connect: Callable[[Run], aws.Aws]) -> Report:
    """One run. `connect` signs in."""
    settings = to_settings([])
    settings = replace(
        settings,
        service=replace(settings.service, cluster="c", wait_timeout=300),
        smoke=replace(settings.smoke, smoke_test=False),
    )
    return Run(settings, {}, Recorder(Quiet())).report_of(partial(_stages, connect))


def _stages(connect: Callable[[Run], aws.Aws], run: Run) -> None:
    run.learn(outcome="failed")
    account = connect(run)
    prepared = Prepared(Named("iris", "latest"), "", "linux/amd64", Expectation(""))
    with run.recorder.stage("push") as stage:
        aws.ensure_repository(account, "iris", stage)
        aws.login(account)
        found = aws.find_build(account, "iris", BUILD)
        # What docker would push; it retries on its own.
        digest = found.digest if found else _push(account)
        aws.tag_image(account, "iris", digest, ("latest", aws.build_tag(BUILD)))
        pushed = aws.verify(account, "iris", digest, ("latest", aws.build_tag(BUILD)))
    ground = ship.foundations(run, prepared, account)
    assert isinstance(ground, aws.Foundations)
    changed = ship.job_definition(run, prepared, account, pushed, ground)
    changed |= ship.service(run, prepared, account, pushed, ground)
    run.learn(outcome="deployed" if changed else "unchanged")


def _push(account: aws.Aws) -> str:
    with aws.translate("push"):
        try:
            said = account.ecr.put_image(repositoryName="iris", imageManifest=MANIFEST, imageTag="pushed")
            return str(said["image"]["imageId"]["imageDigest"])
        except account.ecr.exceptions.ImageAlreadyExistsException:
            found = account.ecr.describe_images(repositoryName="iris", imageIds=[{"imageTag": "pushed"}])
            return found["imageDetails"][0]["imageDigest"]


def clocked(sleep: Callable[[float], None], monotonic: Callable[[], float]) -> None:
    """The follower of this process looks at that clock."""
    for name, function in (("follow", follow), ("rollback", rollback)):
        setattr(aws, name, partial(function, sleep=sleep, monotonic=monotonic))


def main() -> None:
    url, simulator = sys.argv[1:]

    def tick(seconds: float) -> float:
        request = urllib.request.Request(f"{simulator}/clock?sleep={seconds}", b"", method="POST")
        with urllib.request.urlopen(request) as answer:
            return float(answer.read().decode().split(":")[1].strip(" }"))

    def sleep(seconds: float) -> None:
        tick(seconds)
        time.sleep(0.01)

    clocked(sleep, lambda: tick(0))
    report = deploy(
        lambda run: aws.connect(run.settings.aws, environment(url), run.recorder.stage("check").__enter__())
    )
    if report.failure:
        print(report.failure, file=sys.stderr)
    sys.exit(report.exit_code)


if __name__ == "__main__":
    main()
