"""Docker Engine as the computer of tasks and jobs."""

import contextlib
import io
import logging
import re
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.images import Image
from docker.utils import version_gte

from model_sandbox.container_spec import ContainerSpec, Mount, container_config
from model_sandbox.record import CONTAINER_LABEL
from model_sandbox.tokens import USER, Scope

_log = logging.getLogger(__name__)
_API_SECONDS = 120
_TAR_OVERHEAD = 64 * 1024
_SUBPATH_VERSION = "1.45"
_PULL_ATTEMPTS = 3  # of an image whose layers the engine loses


@dataclass(frozen=True)
class ContainerState:
    """A container's state; `exit_code` None: it runs. `health`: docker's word, or empty."""

    exit_code: int | None
    out_of_memory: bool
    health: str
    address: str


class PullError(Exception):
    """A pull failed."""


class StartError(Exception):
    """A container did not start."""


class Engine:
    """A sandbox's containers; thread-safe."""

    def __init__(self, instance: str, registry: str, password: Callable[[Scope], str]) -> None:
        # `password` gives an account's registry password. DockerException: no engine answers.
        self._client = docker.from_env(timeout=_API_SECONDS, max_pool_size=64)
        self._client.ping()
        self._instance, self._registry, self._password = instance, registry, password
        self._pulls = threading.Lock()
        self._closed = threading.Event()

    def gateway(self) -> str:
        """Return this computer's address for containers, or empty."""
        try:
            configured = self._client.api.inspect_network("bridge")["IPAM"]["Config"]
            return str(configured[0].get("Gateway", ""))
        except (DockerException, OSError, LookupError):
            return ""

    def pull(self, image: str, scope: Scope) -> str:
        """Pull an image; return its digest, or empty."""
        try:
            # Ours is always asked for again, as on AWS; others only if missing: a computer without Docker Hub can use
            # what it has.
            if not image.startswith(f"{self._registry}/"):
                with contextlib.suppress(ImageNotFound):
                    return _digest(self._client.images.get(image).attrs, image)
            is_ours = image.startswith(f"{self._registry}/")
            credentials = {"username": USER, "password": self._password(scope)} if is_ours else None
            with self._pulls:
                return _digest(self._pulled(image, credentials).attrs, image)
        except (DockerException, OSError) as error:
            raise PullError(_reason(error)) from error

    def _pulled(self, image: str, credentials: dict[str, str] | None) -> Image:
        for _ in range(_PULL_ATTEMPTS - 1):
            try:
                return self._client.images.pull(image, auth_config=credentials)
            except APIError as error:
                # The engine removed a layer that it was unpacking: https://github.com/containerd/containerd/issues/10835
                if not re.search(r"parent snapshot \S+ does not exist", _reason(error)):
                    raise
        return self._client.images.pull(image, auth_config=credentials)

    def start(self, spec: ContainerSpec) -> str:
        """Start a container and return its id; StartError leaves nothing."""
        try:
            mounts = [self._mount(mount) for mount in spec.mounts]
            config = container_config(self._client.api, spec, mounts, {**spec.labels, CONTAINER_LABEL: self._instance})
            made = self._client.api.create_container_from_config(config, spec.name)  # type: ignore[no-untyped-call]
            container = str(made["Id"])
        except (DockerException, OSError) as error:
            raise StartError(_reason(error)) from error
        if self._closed.is_set():
            self.remove(container)
            raise StartError("the sandbox is stopping")
        try:
            if spec.archive:
                self._client.api.put_archive(container, "/", spec.archive)
            self._client.api.start(container)
        except (DockerException, OSError) as error:
            self.remove(container)
            raise StartError(_reason(error)) from error
        return container

    def _mount(self, mount: Mount) -> dict[str, Any]:
        # Between our look and the engine's mount a container may exchange an inner directory for a link: an engine from
        # 26 on looks beneath a volume itself, and lets no link lead out of it. Older ones get the path.
        shared = {"Target": mount.target, "ReadOnly": mount.read_only}
        if not mount.inner or not version_gte(self._client.api.api_version, _SUBPATH_VERSION):
            return {**shared, "Type": "bind", "Source": str(mount.root / mount.inner)}
        name = self.container_name("volume", mount.root.name)
        device = {"type": "none", "o": "bind", "device": str(mount.root)}
        self._client.api.create_volume(name, "local", device, {CONTAINER_LABEL: self._instance})
        return {
            **shared,
            "Type": "volume",
            "Source": name,
            "VolumeOptions": {"Subpath": mount.inner, "NoCopy": True},
        }

    def state(self, container: str) -> ContainerState | None:
        """Return the state; killed if somebody removed it, None if the engine does not answer."""
        try:
            facts = self._client.api.inspect_container(container)
        except NotFound:
            return ContainerState(137, False, "", "")
        except (DockerException, OSError):
            return None
        state = facts["State"]
        networks = facts["NetworkSettings"]["Networks"].values()
        return ContainerState(
            exit_code=state["ExitCode"] if state["Status"] in ("exited", "dead") else None,
            out_of_memory=bool(state.get("OOMKilled")),
            health=state.get("Health", {}).get("Status", ""),
            address=next((n["IPAddress"] for n in networks if n.get("IPAddress")), ""),
        )

    def stop(self, container: str, seconds: int) -> None:
        """Send SIGTERM, then SIGKILL after `seconds`."""
        with contextlib.suppress(DockerException, OSError):
            self._client.api.stop(container, timeout=seconds)

    def remove(self, container: str) -> None:
        with contextlib.suppress(DockerException, OSError):
            self._client.api.remove_container(container, force=True, v=True)

    def output(self, container: str, follow: bool) -> Iterator[bytes]:
        """Yield a container's output; with `follow`, until it ends."""
        try:
            yield from self._client.api.logs(container, stream=True, follow=follow, stdout=True, stderr=True)
        except (DockerException, OSError) as error:
            _log.warning("the output of container %s ends here: %s", container[:12], error)

    def read(self, container: str, path: str, limit: int) -> bytes:
        """Return a container's file; empty if missing or above `limit`."""
        try:
            pieces, _ = self._client.api.get_archive(container, path)
            content = bounded(pieces, limit + _TAR_OVERHEAD)
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                file = archive.extractfile(archive.next() or "")
                read = file.read(limit + 1) if file else b""
                return read if len(read) <= limit else b""
        except (DockerException, OSError, KeyError, tarfile.TarError):
            return b""

    def close(self) -> int:
        """Start nothing any more; remove all and return how many."""
        # A container that is just being created is in the list already, or finds the engine closed and goes by itself.
        self._closed.set()
        return self.remove_all()

    def remove_all(self) -> int:
        """Remove all containers, an earlier process's too; return how many."""
        label = f"{CONTAINER_LABEL}={self._instance}"
        found = self._client.containers.list(all=True, sparse=True, filters={"label": label})
        workers = [threading.Thread(target=self.remove, args=(container.id,)) for container in found]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for volume in self._client.volumes.list(filters={"label": label}):
            with contextlib.suppress(DockerException, OSError):
                volume.remove()
        return len(found)

    def container_name(self, *parts: str) -> str:
        """Return a name that is clearly no user's."""
        words = "-".join(re.sub(r"[^A-Za-z0-9_.-]+", "-", part) for part in parts)
        return f"mdsbx-{self._instance[:6]}-{words}"


def bounded(pieces: Iterable[bytes], limit: int) -> bytes:
    found = bytearray()
    for piece in pieces:
        found += piece[: limit - len(found)]
        if len(found) >= limit:
            break
    return bytes(found)


def _digest(image: dict[str, Any], reference: str) -> str:
    if "@" in reference:
        return reference.split("@", 1)[1]
    repository = reference.rsplit(":", 1)[0] if ":" in reference.rsplit("/", 1)[-1] else reference
    digests = [d.split("@", 1) for d in image.get("RepoDigests") or []]
    return next((digest for name, digest in digests if name == repository), "")


def _reason(error: Exception) -> str:
    return str(error.explanation) if isinstance(error, APIError) and error.explanation else str(error)
