"""The other first half: from the archive of an image that somebody made to an image in the engine."""

from pathlib import Path

from model_dockerize import image
from model_dockerize.report import StageProgress


def look(engine: image.Engine, archive: Path, stage: StageProgress) -> image.Contents:
    """The archive checked and known, with nothing loaded."""
    disk = image.disk(engine)
    contents = image.look(archive, engine.platform, disk.total if disk else None)
    maker = f"our build {contents.build_id}" if contents.build_id else f"not made here, {contents.config[:19]}"
    stage.info(f"{archive.name}: {', '.join(contents.names) or 'no name'}, {contents.platform}, {maker}")
    return contents


def load(engine: image.Engine, contents: image.Contents, stage: StageProgress) -> image.Image:
    """The image in the engine, loaded if it is not there already."""
    held = image.held(engine, contents)
    if held:
        stage.unchanged(f"The engine holds {held.ref} already: {held.id[7:19]}")
        return held
    image.check_room(contents, image.disk(engine))
    return image.load(engine, contents, stage)
