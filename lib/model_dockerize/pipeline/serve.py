"""Serves a model on this computer."""

import re
from dataclasses import replace

from model_dockerize import image
from model_dockerize.errors import SmokeError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import Prepared, Run, smoke_report
from model_dockerize.report.facts import Address, SmokeTested


def start(run: Run, place: image.Place) -> Outcome:
    """Run stages `build` (or `load`), `serve` and `smoke-local`.

    Raises:
        SmokeError: it does not answer; the former one runs again.
    """
    prepared = make.prepare(run)
    place = replace(place, hosts=run.settings.service.allowed_hosts)
    with run.recorder.stage("check") as stage:
        engine = image.probe(run.environment)
        stage.info(f"Docker Engine {engine.version}, buildx {engine.buildx_version}")
        make.check(run, prepared, engine)
    built = make.obtain(run, prepared, engine, make.cache(run, prepared, engine, pushes=False))
    name, address = _name(prepared), Address(place.url, who_can_reach(place))
    if image.serves(engine, name, built, place):
        with run.recorder.stage("serve") as stage:
            stage.unchanged(f"Container {name} runs this image there already.")
            stage.found(address)
        return Outcome.UNCHANGED
    with image.serve(engine, name, built, place) as container:
        with run.recorder.stage("serve") as stage:
            stage.info(f"container {name} on {place.address}:{place.port}: {built.ref}")
            kept = f"on volume {place.volume}" if place.volume else "in the container, and end with it (--data-volume)"
            stage.info(f"jobs, results and licence are {kept}")
        with run.recorder.stage("smoke-local") as stage:
            result = make.prove(run, prepared, container.urls, stage, make.ending_of(container))
            stage.found(SmokeTested("image", smoke_report(result, prepared.expectation)))
            if not result.passed:
                raise SmokeError(
                    "The model does not answer as it must; its container was removed.",
                    "Read above what it said; another model's data volume is refused: each model needs its own.",
                    (*result.failures, *image.without_prefixes(container.logs(20).splitlines())),
                )
            stage.found(address)
    return Outcome.SERVING


def stop(run: Run) -> Outcome:
    """Remove the model's container, not its data volume."""
    with run.recorder.stage("program") as stage:
        prepared = make.inspect(run, stage)
    with run.recorder.stage("serve") as stage:
        name = _name(prepared)
        if image.stop(image.probe(run.environment), name):
            stage.info(f"Container {name} stopped and removed. A data volume stays until `docker volume rm`.")
            return Outcome.STOPPED
        stage.unchanged(f"There is no container {name}.")
    return Outcome.UNCHANGED


def who_can_reach(place: image.Place) -> str:
    """Say who can reach the model."""
    if place.is_loopback:
        return "this computer"
    at = f"port {place.port}" if place.address in ("0.0.0.0", "::") else f"{place.address}:{place.port}"  # noqa: S104
    return f"whoever reaches {at} of this computer"


def _name(prepared: Prepared) -> str:
    return f"model-dockerize-{re.sub('[^A-Za-z0-9_.-]', '-', prepared.program.name)}"
