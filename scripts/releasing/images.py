"""Builds the Action's image for each processor, joins them under one name, and pulls it as any runner does."""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from releasing import ReleaseError
from releasing.shell import run

_DENIED = re.compile(r"denied|unauthorized|forbidden|authentication required|no basic auth", re.IGNORECASE)


class NotPublicError(ReleaseError):
    """Says that the registry wants a login, without which a runner pulls an Action's image."""


def build_and_push(context: Path, name: str, labels: dict[str, str]) -> None:
    """Build the top-level Dockerfile and push it under this name.

    The CA bundle that this computer's TLS needs goes in as a build secret; attestations are GitHub's, beside the image.
    """
    bundle = os.environ.get("SSL_CERT_FILE", "")
    secret = ["--secret", f"id=ca-bundle,src={bundle}"] if Path(bundle).is_file() else []
    marks = [word for key, value in labels.items() for word in ("--label", f"org.opencontainers.image.{key}={value}")]
    run("docker", "build", "--provenance=false", *secret, *marks, "--tag", name, str(context))
    with _login(name) as env:
        run("docker", "push", "--quiet", name, env=env)


def join(name: str, parts: list[str]) -> str:
    """Give the images of several processors one name; return it with its digest."""
    with _login(name) as env:
        run("docker", "buildx", "imagetools", "create", "--tag", name, *parts, env=env)
        # `{{.Manifest.Digest}}` prints a whole page in some versions.
        manifest = run("docker", "buildx", "imagetools", "inspect", name, "--format", "{{json .Manifest}}", env=env)
    return f"{name.rpartition(':')[0]}@{json.loads(manifest)['digest']}"


def pull_as_anybody(image: str) -> None:
    """Pull the image without any login, as a runner does for an Action.

    Raises:
        NotPublicError: the registry wants a login.
        ReleaseError: it could not be pulled for another reason.
    """
    with tempfile.TemporaryDirectory() as empty:
        try:
            run("docker", "pull", "--quiet", image, env={"DOCKER_CONFIG": empty})
        except ReleaseError as error:
            if _DENIED.search(str(error)):
                raise NotPublicError(f"{image} cannot be pulled without a login.\n{error}") from error
            raise


@contextlib.contextmanager
def _login(name: str) -> Iterator[dict[str, str]]:
    """Log in with TOKEN, if it is set, in a temporary configuration; yield the variables that select it."""
    token = os.environ.get("TOKEN", "")
    if not token:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        env = {"DOCKER_CONFIG": folder}
        user = os.environ.get("GITHUB_ACTOR", "token")
        run("docker", "login", name.partition("/")[0], "--username", user, "--password-stdin", stdin=token, env=env)
        yield env
