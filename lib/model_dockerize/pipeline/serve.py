"""Serves a model on this computer."""

import os
from dataclasses import replace
from pathlib import Path

from model_dockerize import image, program
from model_dockerize.errors import InputError, SmokeError
from model_dockerize.log_lines import without_prefixes
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import download, make, unexpected
from model_dockerize.pipeline.context import Run, smoke_report
from model_dockerize.report import StageProgress
from model_dockerize.report.facts import Address, Headline, SmokeTested
from model_dockerize.settings import is_file


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
    name, address = image.container_name(prepared.program.name), Address(place.url, who_can_reach(place))
    if image.serves(engine, name, built, place):
        with run.recorder.stage("serve") as stage:
            stage.unchanged(f"Container {name} runs this image there already.")
            stage.found(address)
        return Outcome.UNCHANGED
    with image.serve(engine, name, built, place) as container:
        with run.recorder.stage("serve") as stage:
            stage.info(f"container {name} on {place.address}:{place.port}: {built.ref}")
            kept = f"on volume {place.volume}" if place.volume else "in the container, and end with it (--data-volume)"
            stage.info(f"jobs, results and license are {kept}")
        with run.recorder.stage("smoke-local") as stage:
            result = make.prove(run, prepared, container.urls, stage, make.ending_of(container))
            stage.found(SmokeTested("image", smoke_report(result, prepared.expectation)))
            if not result.passed:
                raise SmokeError(
                    "The model does not answer as it must; its container was removed.",
                    unexpected.remedy(result.failures, run.settings)
                    or "Read above what it said; another model's data volume is refused: each model needs its own.",
                    (*result.failures, *without_prefixes(container.logs(50).splitlines())),
                )
            stage.found(address)
    return Outcome.SERVING


def stop(run: Run, is_named: bool = False) -> Outcome:
    """Remove the model's container, not its data volume; where nothing names a model, of the only one that runs.

    Args:
        is_named: by its folder, though that be the current one.
    """
    with run.recorder.stage("serve") as stage:
        engine = image.probe(run.environment)
        there = image.served(engine)
        name = _named(run, is_named, there, stage) or _only(there)
        if name and image.stop(engine, name):
            stage.info(f"Container {name} stopped and removed. A data volume stays until `docker volume rm`.")
            stage.found(Headline(_model(name)))
            return Outcome.STOPPED
        others = f" Here run: {', '.join(map(_model, there))} (serve --stop --image-name NAME)." if there else ""
        stage.unchanged(f"There is no container {name}.{others}" if name else "Nothing that `serve` started runs here.")
        stage.found(Headline(f"{_model(name)}, which does not run here" if name else "nothing runs here"))
    return Outcome.UNCHANGED


def _named(run: Run, is_named: bool, there: tuple[str, ...], stage: StageProgress) -> str:
    """Return the container of the model that is named, without a look at its program; empty: none is."""
    settings = run.settings
    path = settings.program.program_path
    archive = settings.image.from_archive
    if settings.image.image_name:
        return image.container_name(settings.image.image_name)
    if archive:
        contents = download.look(archive, image.own_platform(), stage) if is_file(archive) else None
        return image.container_name(download.name_of(archive, contents))
    folder = Path(os.path.realpath(path))
    name = image.container_name(program.legal_name(folder.name))
    # The current folder may be no model's; a program in it, or a file of settings, makes it one's.
    is_named = is_named or path != Path.cwd() or name in there or program.holds_a_program(folder)
    return name if is_named else ""


def _only(there: tuple[str, ...]) -> str:
    if len(there) > 1:
        raise InputError(
            f"No model is named, and `serve` runs {len(there)} here: {', '.join(map(_model, there))}.",
            "Name one: model-dockerize serve --stop --image-name NAME",
        )
    return next(iter(there), "")


def who_can_reach(place: image.Place) -> str:
    """Say who can reach the model."""
    if place.is_loopback:
        return "this computer"
    at = f"port {place.port}" if place.address in ("0.0.0.0", "::") else f"{place.address}:{place.port}"  # noqa: S104
    return f"whoever reaches {at} of this computer"


def _model(container: str) -> str:
    return container.removeprefix(image.CONTAINER_PREFIX)
