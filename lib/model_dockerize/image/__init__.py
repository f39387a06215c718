"""Docker Engine: probe it, build an image by BuildKit, run, push, save and load it."""

from model_dockerize.image.archive import Archive, load, save
from model_dockerize.image.build import BuildRequest, build, build_argv
from model_dockerize.image.buildlog import Step
from model_dockerize.image.container import RunningContainer, run
from model_dockerize.image.engine import Engine, probe
from model_dockerize.image.push import RegistryAuth, push
from model_dockerize.image.server import ServerSources, find_sources, server_image, server_ref, server_version
from model_dockerize.image.store import BUILD_ID_LABEL, Image, find, inspect, tag

__all__ = [
    "BUILD_ID_LABEL",
    "Archive",
    "BuildRequest",
    "Engine",
    "Image",
    "RegistryAuth",
    "RunningContainer",
    "ServerSources",
    "Step",
    "build",
    "build_argv",
    "find",
    "find_sources",
    "inspect",
    "load",
    "probe",
    "push",
    "run",
    "save",
    "server_image",
    "server_ref",
    "server_version",
    "tag",
]
