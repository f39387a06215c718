"""The inputs about the image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from model_dockerize.patterns import IMAGE_NAME, REFERENCE, TAG
from model_dockerize.settings.input import Input


def _wrong_name(text: str) -> str:
    if REFERENCE.regex.fullmatch(text) and not IMAGE_NAME.regex.fullmatch(text) and ":" in text.rpartition("/")[2]:
        return f"{text!r} holds a tag or digest; the tag is the input image-version"
    return IMAGE_NAME(text)


@dataclass(frozen=True)
class ImageSettings:
    """The image's name, source and archive."""

    TITLE: ClassVar = "The image"

    image_name: Annotated[
        str,
        Input(
            "Name of the image. The program folder's name when empty.",
            common=True,
            rule=_wrong_name,
            config_ini="[dockerimage] image_name",
        ),
    ] = ""
    image_version: Annotated[
        str,
        Input(
            "Version (tag) of the image.",
            rule=TAG,
            variable="GITHUB_REF_NAME, GITHUB_SHA",
            config_ini="[dockerimage] image_version",
        ),
    ] = "latest"
    archive: Annotated[
        Path | None,
        Input(
            "Folder to write the image to as NAME_123abc.docker.tar.gz. Not written when empty.",
            builds=True,
            caller_only=True,
        ),
    ] = None
    from_archive: Annotated[
        Path | None,
        Input(
            "Archive of a finished image (docker save or OCI layout; gzip, zstd or plain) to take instead of "
            "a program folder. None when empty."
        ),
    ] = None
    cache: Annotated[
        str,
        Input(
            "Where the build keeps its cache between runs: registry (in ECR), gha (GitHub's cache), inline "
            "(in the image), none, or auto: the first of these that can be had on a CI runner, none "
            "elsewhere.",
            choices=("auto", "registry", "gha", "inline", "none"),
        ),
    ] = "auto"
    provenance: Annotated[
        bool,
        Input(
            "Attest in the registry how the image was built. AWS Lambda and SageMaker refuse such images.", builds=True
        ),
    ] = False
