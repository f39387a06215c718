"""Runs an image as a container in a `with` block."""

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container

from model_dockerize.errors import EngineError, SmokeError
from model_dockerize.image.engine import Engine, connect, no_image


@dataclass(frozen=True)
class RunningContainer:
    """A started container; `urls`, best first, is empty if it ended at once."""

    id: str
    name: str
    urls: tuple[str, ...]
    _container: Container

    def logs(self, tail: int = 50) -> str:
        return str(self._container.logs(tail=tail).decode("utf-8", "replace"))

    def exited(self) -> int | None:
        """Return the exit code; None while it runs."""
        try:
            self._container.reload()
        except NotFound:
            return 137
        state = self._container.attrs["State"]
        return None if state["Status"] in {"created", "running", "restarting", "paused"} else int(state["ExitCode"])


@contextmanager
def run(
    engine: Engine,
    image_ref: str,
    environment: Mapping[str, str],
    name_prefix: str,
    port: int = 80,
    memory: int = 0,
) -> Iterator[RunningContainer]:
    """Start a container, yield it, and always remove it with its anonymous volumes.

    If this process runs in a container (a GitHub Action), the new one joins its network.

    Args:
        memory: MiB, without swap as on Fargate; 0: no limit.
    """
    with closing(connect(engine)) as client:
        network = _own_network(client)
        limit = f"{memory}m" if memory else None
        try:
            container = client.containers.create(
                image_ref,
                name=f"{name_prefix}-{secrets.token_hex(4)}",
                environment=dict(environment),
                ports={f"{port}/tcp": ("127.0.0.1", 0)},
                network=network or None,
                use_config_proxy=False,  # as on ECS: without this computer's proxies
                mem_limit=limit,
                memswap_limit=limit,
            )
        except ImageNotFound as error:
            raise no_image(image_ref) from error
        except APIError as error:
            raise EngineError(f"The engine makes no container of {image_ref}: {error.explanation}") from error
        try:
            try:
                container.start()
            except APIError as error:
                raise SmokeError(
                    f"A container of {image_ref} does not start: {error.explanation}",
                    "Check the image's command and that it was built for this computer's architecture.",
                ) from error
            container.reload()
            yield RunningContainer(
                str(container.id), str(container.name), _urls(container.attrs, port, network), container
            )
        finally:
            with suppress(NotFound):
                container.remove(v=True, force=True)


def _own_network(client: docker.DockerClient) -> str:
    # Empty outside of a container, and on the host's network.
    hostname = socket.gethostname()
    try:
        ours = client.containers.get(hostname)
    except (NotFound, APIError):
        return ""
    if not str(ours.id).startswith(hostname):  # a container that merely bears the name of this computer
        return ""
    return next((name for name in ours.attrs["NetworkSettings"]["Networks"] if name not in {"host", "none"}), "")


def _urls(attrs: dict[str, dict[str, dict[str, dict[str, str]]]], port: int, network: str) -> tuple[str, ...]:
    settings = attrs["NetworkSettings"]
    address = settings["Networks"].get(network, {}).get("IPAddress") if network else ""
    published = [
        f"http://{binding['HostIp']}:{binding['HostPort']}"  # type: ignore[index]
        for binding in (settings["Ports"].get(f"{port}/tcp") or [])
    ]
    return (*([f"http://{address}:{port}"] if address else []), *published)
