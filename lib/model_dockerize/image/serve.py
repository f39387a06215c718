"""A container that stays: `docker run -d -p ADDRESS:PORT:80 --mount source=VOLUME,target=/var/gai_data IMAGE`.

A label makes it ours.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import Mount

from model_dockerize.errors import EngineError, SmokeError
from model_dockerize.image.container import RunningContainer
from model_dockerize.image.engine import Engine, connect
from model_dockerize.image.store import Image

CONTAINER_PREFIX = "model-dockerize-"
LABEL = "io.model-dockerize.serves"
#: Where a model keeps jobs, results and its license.
DATA = "/var/gai_data"
_PORT = "80/tcp"
_BEFORE = "-before"  # after the name of a container whose place another takes
_STOP_SECONDS = 60  # a job that runs may end; the server gives itself less


@dataclass(frozen=True)
class Place:
    """A model's address here; without `volume`, the container keeps its data."""

    address: str  # of this computer, e.g. 127.0.0.1
    port: int
    volume: str
    hosts: tuple[str, ...] = ()  # further names that it answers for

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.address == "0.0.0.0" else self.address  # noqa: S104 - all addresses, if asked for
        return f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return ip_address(self.address).is_loopback

    @property
    def environment(self) -> dict[str, str]:
        """Return variables against DNS rebinding."""
        own = ("localhost", self.address) if self.is_loopback or self.hosts else ()
        return {"MODEL_ALLOWED_HOSTS": ",".join((*own, *self.hosts))} if own else {}


def serves(engine: Engine, name: str, image: Image, place: Place) -> bool:
    with closing(connect(engine)) as client:
        found = _ours(client, name)
        return found is not None and found.status == "running" and _is(found.attrs, image, place)


@contextmanager
def serve(engine: Engine, name: str, image: Image, place: Place) -> Iterator[RunningContainer]:
    """Replace the container `name` and yield the new one; if the block fails, restore the former."""
    with closing(connect(engine)) as client:
        former = _former(client, name)
        ran = former is not None and former.status == "running"
        if former:
            former.stop(timeout=_STOP_SECONDS)
            former.rename(name + _BEFORE)
        container: Container | None = None
        try:
            container = _create(client, name, image, place)
            _start(container, place)
            yield RunningContainer(str(container.id), name, (place.url,), container)
        except BaseException:
            if container:
                container.remove(v=True, force=True)
            if former:
                former.rename(name)
                if ran:
                    former.start()
            raise
        if former:
            former.remove(v=True)


def container_name(model: str) -> str:
    """Return how `serve` calls a model's container."""
    return f"{CONTAINER_PREFIX}{re.sub('[^A-Za-z0-9_.-]', '-', model)}"


def served(engine: Engine) -> tuple[str, ...]:
    """Return the names of the containers that `serve` made and that run here."""
    with closing(connect(engine)) as client:
        # One may end and be removed while they are listed.
        found = client.containers.list(filters={"label": LABEL}, ignore_removed=True)
        # One that a killed `serve` left beside its successor has another name than its label says.
        return tuple(sorted(each.name for each in found if each.name == each.labels[LABEL]))


def stop(engine: Engine, name: str) -> bool:
    """Remove the container `name`, not its data volume; False: none."""
    with closing(connect(engine)) as client:
        found = _ours(client, name)
        if found is None:
            return False
        found.stop(timeout=_STOP_SECONDS)
        found.remove(v=True)
        return True


def _former(client: docker.DockerClient, name: str) -> Container | None:
    # A killed run may have left it under its other name.
    found, left = _ours(client, name), _ours(client, name + _BEFORE)
    if left and found:
        left.remove(v=True, force=True)
    elif left:
        left.rename(name)
    return found or left


def _ours(client: docker.DockerClient, name: str) -> Container | None:
    try:
        found = client.containers.get(name)
    except NotFound:
        return None
    if LABEL not in found.labels:
        raise EngineError(
            f"A container named {name} is there, and model-dockerize did not make it.",
            f"Rename or remove it: docker rename {name} OTHER",
        )
    return found


def _create(client: docker.DockerClient, name: str, image: Image, place: Place) -> Container:
    try:
        return client.containers.create(
            image.ref,
            name=name,
            labels={LABEL: name},
            environment=place.environment,
            ports={_PORT: (place.address, place.port)},
            mounts=[Mount(DATA, place.volume)] if place.volume else [],
        )
    except APIError as error:
        raise EngineError(f"The engine makes no container of {image.ref}: {error.explanation}") from error


def _start(container: Container, place: Place) -> None:
    try:
        container.start()
    except APIError as error:
        said = str(error.explanation)
        if "already allocated" in said or "address already in use" in said:
            raise EngineError(
                f"Port {place.port} of {place.address} is taken.",
                "Choose another: --port; `docker ps` shows which containers have ports.",
            ) from error
        raise SmokeError(
            f"The container does not start: {said}",
            "Check that the image is for this computer's processor.",
        ) from error


def _is(attrs: dict[str, Any], image: Image, place: Place) -> bool:
    published = (attrs["HostConfig"].get("PortBindings") or {}).get(_PORT) or [{}]
    data = [mount.get("Name", "") for mount in attrs["Mounts"] if mount["Destination"] == DATA and mount.get("Name")]
    return (
        attrs["Image"] == image.id
        and (published[0].get("HostIp"), published[0].get("HostPort")) == (place.address, str(place.port))
        and {f"{key}={value}" for key, value in place.environment.items()} <= set(attrs["Config"]["Env"])
        and data == ([place.volume] if place.volume else [])
    )
