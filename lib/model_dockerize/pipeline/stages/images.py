"""Builds and pushes the image."""

from dataclasses import replace
from functools import partial

from model_dockerize import image
from model_dockerize.aws import ecr
from model_dockerize.aws.client import TO_COME, Aws
from model_dockerize.errors import PushError
from model_dockerize.pipeline import batch, make
from model_dockerize.pipeline.context import FromFolder
from model_dockerize.pipeline.release import Release, Stage
from model_dockerize.progress import Progress
from model_dockerize.report import StageProgress
from model_dockerize.report.facts import Pushed


def _is_pushed(release: Release) -> bool:
    return release.settings.registry.push_to_ecr


def _is_named(release: Release) -> bool:
    return not release.settings.registry.push_to_ecr


def push(release: Release) -> Release:
    """Run stages `build` to `scan`."""
    run, account, name, registry = release.run, release.account, release.names.repository, release.settings.registry
    tags = (release.version, ecr.build_tag(release.prepared.build_id))
    found = ecr.find_build(account, name, release.prepared.build_id)
    if found and not run.settings.image.archive:
        for skipped in ("build" if isinstance(release.prepared, FromFolder) else "load", "smoke-local"):
            with run.recorder.stage(skipped) as stage:
                stage.unchanged("The registry holds this build already.")
    else:
        if not found:
            ecr.check_tag(account, name, release.version)
        built, cache = _build(release)
        release.check_beside()
    with run.recorder.stage("push") as stage:
        if found:
            digest = found.digest
            is_new = bool(ecr.tag_image(account, name, digest, tags))
        else:
            repository = ecr.ensure_repository(account, name, stage)
            # Before the push: ECR scans what is pushed while scanning is on.
            ecr.ensure_rules(account, name, registry, stage)
            # By its id: what was proved is pushed, whatever bears its name by now.
            login = partial(_login, account)
            digest = image.push(_engine(release), built.id, f"{repository.uri}:{tags[1]}", login, stage)
            ecr.tag_image(account, name, digest, tags)
            is_new = True
            if cache.kind == "inline":
                _keep(account, name, digest, stage)
        pushed = ecr.verify(account, name, digest, tags)
        stage.info(pushed.uri)
        if found:
            ecr.ensure_rules(account, name, registry, stage)
        if is_new:
            stage.info(f"{name}:{release.version} is {pushed.digest[:19]}")
        else:
            stage.unchanged(f"{name}:{release.version} is this build already.")
        stage.found(Pushed(pushed.uri, pushed.digest))
    if registry.scan_gate:
        with run.recorder.stage("scan") as stage:
            ecr.check_findings(account, name, pushed.digest, registry.scan_gate, stage)
    return replace(release, uri=pushed.uri, changed=release.changed or is_new)


def _ask_for_push(release: Release, progress: Progress) -> Release:
    account, name, version = release.account, release.names.repository, release.version
    found = ecr.find_build(account, name, release.prepared.build_id)
    if found:
        ecr.ensure_rules(account, name, release.settings.registry, progress)
        missing = ecr.tag_image(account, name, found.digest, (version, ecr.build_tag(release.prepared.build_id)))
        line = f"~ image {name} (tag {', '.join(missing)})" if missing else f"= image {name}:{version}"
        return replace(release, uri=found.uri, image_line=line)
    ecr.check_tag(account, name, version)
    repository = ecr.ensure_repository(account, name, progress)
    ecr.ensure_rules(account, name, release.settings.registry, progress)
    line = f"+ image {name}:{version} (build, smoke test, push)"
    return replace(release, uri=f"{repository.uri}@{TO_COME}", image_line=line)


def _finding(release: Release) -> str:
    if TO_COME in release.uri:
        return ""
    return f"{release.names.repository} holds this build already: nothing will be built or pushed"


def _build_only(release: Release) -> Release:
    _build(release)
    return release


def _ask_for_named(release: Release, progress: Progress) -> Release:
    uri = batch.image_of(release.run, release.account, "", progress)
    return replace(release, uri=uri, image_line=f"= image {uri}")


def _build(release: Release) -> tuple[image.Image, image.Cache]:
    run, prepared, account, engine = release.run, release.prepared, release.account, _engine(release)
    cache = make.cache(run, prepared, engine, pushes=release.settings.registry.push_to_ecr)
    if cache.kind not in ("registry", "inline"):
        return make.build(run, prepared, engine, cache), cache
    with run.recorder.stage("cache") as stage:
        repository = ecr.ensure_repository(account, release.names.repository, stage)
        auth = _login(account)
    with image.signed_in(engine, auth) as builder:
        return make.build(run, prepared, builder, cache, repository.uri), cache


def _engine(release: Release) -> image.Engine:
    assert release.engine  # noqa: S101 - who only asks builds nothing
    return release.engine


def _login(account: Aws) -> image.RegistryAuth:
    login = ecr.login(account)
    return image.RegistryAuth(login.username, login.password, login.registry, login.expires_at)


def _keep(account: Aws, name: str, digest: str, stage: StageProgress) -> None:
    # The next build finds its cache by this tag, which moves.
    try:
        ecr.tag_image(account, name, digest, (image.CACHE_TAG,))
    except PushError as error:
        stage.warning(f"The next build will not find this one's cache: {error}")


PUSHED = Stage("repository", _is_pushed, push, _ask_for_push, _finding)
NAMED = Stage("image", _is_named, _build_only, _ask_for_named, lambda release: release.uri)
