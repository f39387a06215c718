"""The images that the engine holds: look one up, name one."""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from docker.errors import APIError, ImageNotFound
from docker.models.images import Image as EngineImage
from docker.utils import parse_repository_tag

from model_dockerize.errors import EngineError
from model_dockerize.image.buildlog import Step
from model_dockerize.image.engine import Engine, connect

BUILD_ID_LABEL = "io.model-dockerize.build-id"


@dataclass(frozen=True)
class Image:
    """An image in the engine. `steps` is empty where it was found and not built."""

    ref: str  # "iris:1.0", or the id where it has no name
    id: str  # "sha256:..."
    size: int  # bytes, as the engine counts them
    build_id: str  # empty: not built by this program
    created: datetime | None
    platform: str  # "linux/amd64": what its programs are for
    steps: tuple[Step, ...] = ()

    @property
    def cached_steps(self) -> int:
        """How many of `steps` were taken from the cache."""
        return sum(step.cached for step in self.steps)

    @property
    def ran_steps(self) -> int:
        """How many of `steps` really ran."""
        return len(self.steps) - self.cached_steps


def inspect(engine: Engine, ref: str, steps: tuple[Step, ...] = ()) -> Image:
    """The image that `ref` (name or id) names. Raises EngineError where the engine has none."""
    with closing(connect(engine)) as client:
        try:
            return _image(client.images.get(ref), ref, steps)
        except ImageNotFound as error:
            raise EngineError(
                f"The engine holds no image {ref}.", "List what there is with `docker image ls`, or build it."
            ) from error


def has(engine: Engine, ref: str) -> bool:
    """Whether the engine holds an image of this name or id."""
    with closing(connect(engine)) as client:
        try:
            client.images.get(ref)
        except ImageNotFound:
            return False
    return True


def find(engine: Engine, build_id: str) -> Image | None:
    """The newest image that was built with this build id, preferably one that has a name; None where there is none."""
    with closing(connect(engine)) as client:
        found = client.images.list(filters={"label": f"{BUILD_ID_LABEL}={build_id}"})
    images = [_image(image, image.tags[0] if image.tags else str(image.id)) for image in found]
    oldest = datetime.min.replace(tzinfo=None)
    return max(
        images,
        key=lambda image: (image.ref != image.id, image.created.replace(tzinfo=None) if image.created else oldest),
        default=None,
    )


def tag(engine: Engine, image: Image, ref: str) -> None:
    """Gives the image one more name, `repository:tag`. Other names stay. Raises EngineError for a name that is none."""
    repository, tag_name = parse_repository_tag(ref)
    with closing(connect(engine)) as client:
        try:
            client.api.tag(image.id, repository, tag_name or "latest")
        except APIError as error:
            raise EngineError(
                f"The image {image.ref} cannot be named {ref}: {error.explanation}",
                "Names are repository:tag, of lower-case letters, digits and . _ - /",
            ) from error


def _image(found: EngineImage, ref: str, steps: tuple[Step, ...] = ()) -> Image:
    created = found.attrs.get("Created") or ""
    return Image(
        ref=ref,
        id=str(found.id),
        size=int(found.attrs.get("Size") or 0),
        build_id=(found.labels or {}).get(BUILD_ID_LABEL, ""),
        created=datetime.fromisoformat(created) if created and not created.startswith("0001") else None,
        platform=f"{found.attrs.get('Os') or 'linux'}/{found.attrs.get('Architecture')}",
        steps=steps,
    )
