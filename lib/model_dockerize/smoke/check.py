"""Asks a model what its users will ask."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from model_dockerize.progress import Progress
from model_dockerize.smoke.client import BUILD_ID, ModelClient, Unanswered
from model_dockerize.smoke.model import Expectation, SmokeResult
from model_dockerize.smoke.session import Session, read_sample

_PAUSE_SECONDS = 0.5


def check(
    urls: Sequence[str],
    expectation: Expectation,
    start_timeout: float,
    job_timeout: float,
    progress: Progress,
    alive: Callable[[], str | None] = lambda: None,
) -> SmokeResult:
    """Check the first of `urls` that answers; a failed check is no exception.

    Args:
        urls: of the same model, best first.
        start_timeout: seconds until it answers.
        job_timeout: seconds of the sample's job.
        alive: asked while waiting; a text (why the container is gone) ends the waiting.
    """
    sample = read_sample(expectation.sample_input)
    expected = read_sample(expectation.sample_expected)
    mapping = (read_sample(expectation.sample_mapping) or b"").decode("utf-8", "replace")
    test = Session(expectation, start_timeout, job_timeout, progress, alive)
    test.run("reachable", lambda: test.reach(urls))
    test.run("health", test.health)
    if expectation.build_id:
        test.run("build-id", test.build_id)
    test.run("swagger", test.swagger)
    if expectation.license_key:
        test.run("license", test.license)
    if sample is not None:
        test.run_job(sample, mapping, expected)
        test.run("runner-mode", test.runner_mode)
    test.close()
    return SmokeResult(test.url, tuple(test.checks), result=test.first_result)


def await_build(url: str, build_id: str, seconds: float, api_key: str = "") -> bool:
    """Wait for that build: a load balancer moves in its own time."""
    client, end = ModelClient(url, api_key), time.monotonic() + seconds
    try:
        while True:
            with suppress(Unanswered):
                if client.get("/health").headers.get(BUILD_ID, "") == build_id:
                    return True
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE_SECONDS)
    finally:
        client.close()
