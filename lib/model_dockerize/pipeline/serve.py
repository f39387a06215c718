"""Starts a model on this computer, tests it where it runs, replaces and stops it."""

import re
from dataclasses import replace

from model_dockerize import image
from model_dockerize.errors import SmokeError
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import Prepared, Run, smoke_report


def start(run: Run, place: image.Place) -> None:
    """Run stages `build` (or `load`), `serve` and `smoke-local`: the model answers at `place`, or does already.

    Raises:
        SmokeError: it ends, or does not answer as it must; what ran there before runs again.
    """
    prepared = make.prepare(run)
    place = replace(place, hosts=run.settings.service.allowed_hosts)
    run.learn(outcome="failed")
    with run.recorder.stage("check") as stage:
        engine = image.probe(run.environment)
        stage.info(f"Docker Engine {engine.version}, buildx {engine.buildx_version}")
        make.check(run, prepared, engine)
    built = make.obtain(run, prepared, engine, make.cache(run, prepared, engine, pushes=False))
    name = _name(prepared)
    if image.serves(engine, name, built, place):
        with run.recorder.stage("serve") as stage:
            stage.unchanged(f"Container {name} runs this image there already.")
        run.learn(outcome="unchanged", url=place.url, access=who_can_reach(place))
        return
    with image.serve(engine, name, built, place) as container:
        with run.recorder.stage("serve") as stage:
            stage.info(f"container {name} on {place.address}:{place.port}: {built.ref}")
            kept = f"on volume {place.volume}" if place.volume else "in the container, and end with it (--data-volume)"
            stage.info(f"jobs, results and licence are {kept}")
        with run.recorder.stage("smoke-local") as stage:
            result = make.prove(run, prepared, container.urls, stage, make.ending_of(container))
            run.learn(smoke_local=smoke_report(result))
            if not result.passed:
                raise SmokeError(
                    "The model does not answer as it must; its container was removed.",
                    "Read above what it said; another model's data volume is refused: each model needs its own.",
                    (*result.failures, *container.logs(20).splitlines()),
                )
    run.learn(outcome="serving", url=place.url, access=who_can_reach(place))


def stop(run: Run) -> None:
    """Run stage `serve`: the container of the model is removed; its data volume stays."""
    with run.recorder.stage("program") as stage:
        prepared = make.inspect(run, stage)
    with run.recorder.stage("serve") as stage:
        name = _name(prepared)
        if image.stop(image.probe(run.environment), name):
            stage.info(f"Container {name} stopped and removed. A data volume stays until `docker volume rm`.")
            run.learn(outcome="stopped")
        else:
            stage.unchanged(f"There is no container {name}.")
            run.learn(outcome="unchanged")


def who_can_reach(place: image.Place) -> str:
    """Say who can reach a model that is served on this computer."""
    if place.is_loopback:
        return "this computer"
    at = f"port {place.port}" if place.address in ("0.0.0.0", "::") else f"{place.address}:{place.port}"  # noqa: S104
    return f"whoever reaches {at} of this computer"


def _name(prepared: Prepared) -> str:
    """Return the container's name: one a model, whatever its version."""
    return f"model-dockerize-{re.sub('[^A-Za-z0-9_.-]', '-', prepared.program.name)}"
