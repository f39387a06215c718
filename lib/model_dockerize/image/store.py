"""Finds and names the engine's images."""

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

from docker.errors import APIError, ImageNotFound
from docker.models.images import Image as EngineImage
from docker.utils import parse_repository_tag

from model_dockerize.engine_images import listed
from model_dockerize.errors import EngineError
from model_dockerize.image import builds
from model_dockerize.image.buildlog import Step
from model_dockerize.image.engine import Engine, connect, no_image

BUILD_ID_LABEL = "io.model-dockerize.build-id"


#: The repository of images in archives, by build.
ARCHIVED = "gx-images"


@dataclass(frozen=True)
class Image:
    """An image in the engine. `steps` is empty unless just built."""

    ref: str  # "iris:1.0", or the id where it has no name
    id: str  # "sha256:..."
    size: int  # bytes, as the engine counts them
    build_id: str  # empty: not known to have been built by this program
    created: datetime | None
    platform: str  # "linux/amd64": what its programs are for
    steps: tuple[Step, ...] = ()

    @property
    def cached_steps(self) -> int:
        return sum(step.cached for step in self.steps)

    @property
    def ran_steps(self) -> int:
        return len(self.steps) - self.cached_steps


def inspect(engine: Engine, ref: str, steps: tuple[Step, ...] = ()) -> Image:
    """Return the image, else raise EngineError."""
    with closing(connect(engine)) as client:
        try:
            return _image(engine, client.images.get(ref), ref, steps)
        except ImageNotFound as error:
            raise no_image(ref) from error


def has(engine: Engine, ref: str) -> bool:
    with closing(connect(engine)) as client:
        try:
            client.images.get(ref)
        except ImageNotFound:
            return False
    return True


def named(engine: Engine, name: str) -> tuple[tuple[tuple[str, ...], int], ...]:
    """Return names, with that in an archive last, and bytes of each image that is called `name`."""
    with closing(connect(engine)) as client:
        found = [(one.tags, int(one.attrs.get("Size") or 0)) for one in listed(lambda: client.images.list(name))]
    names = [
        (tuple(tag for place in (name, ARCHIVED) for tag in sorted(tags) if tag.rpartition(":")[0] == place), size)
        for tags, size in found
    ]
    return tuple(sorted(one for one in names if any(tag.rpartition(":")[0] == name for tag in one[0])))


def find(engine: Engine, build_id: str) -> Image | None:
    """Return the image built here for this build id, if held."""
    image_id = builds.recall(engine.environment, build_id)
    if not image_id or not has(engine, image_id):
        return None
    return inspect(engine, image_id)


def record(engine: Engine, image: Image, build_id: str) -> Image:
    """Remember the image's build id; raise EngineError if another build took the name."""
    with closing(connect(engine)) as client:
        try:
            labels = client.images.get(image.id).labels or {}
        except ImageNotFound as error:
            raise no_image(image.id) from error
    if labels.get(BUILD_ID_LABEL) != build_id:
        raise EngineError(
            f"{image.ref} is another program's image: a build beside this one took the name.",
            "Give the two programs different names (image-name), or build one after the other.",
        )
    builds.remember(engine.environment, build_id, image.id)
    return replace(image, build_id=build_id)


def tag(engine: Engine, image: Image, ref: str) -> None:
    repository, tag_name = parse_repository_tag(ref)
    with closing(connect(engine)) as client:
        try:
            client.api.tag(image.id, repository, tag_name or "latest")
        except APIError as error:
            raise EngineError(
                f"The image {image.ref} cannot be named {ref}: {error.explanation}",
                "Names are repository:tag, of lower-case letters, digits and . _ - /",
            ) from error


def _image(engine: Engine, found: EngineImage, ref: str, steps: tuple[Step, ...]) -> Image:
    created = found.attrs.get("Created") or ""
    claim = (found.labels or {}).get(BUILD_ID_LABEL, "")
    return Image(
        ref=ref,
        id=str(found.id),
        size=int(found.attrs.get("Size") or 0),
        build_id=claim if builds.recall(engine.environment, claim) == str(found.id) else "",
        created=datetime.fromisoformat(created) if created and not created.startswith("0001") else None,
        platform=f"{found.attrs.get('Os') or 'linux'}/{found.attrs.get('Architecture')}",
        steps=steps,
    )
