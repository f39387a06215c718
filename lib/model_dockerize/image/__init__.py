"""Docker Engine: probe it, build an image by BuildKit, run, push, save and load it."""

from model_dockerize.image.archive import Archive, Disk, check_room, disk, held, load, save
from model_dockerize.image.build import BuildRequest, build, build_argv
from model_dockerize.image.buildlog import Step
from model_dockerize.image.cache import TAG as CACHE_TAG
from model_dockerize.image.cache import Cache, cache_options, choose_cache
from model_dockerize.image.container import RunningContainer, run
from model_dockerize.image.contents import Contents, look
from model_dockerize.image.engine import Engine, probe
from model_dockerize.image.login import signed_in
from model_dockerize.image.platform import check_platform, own_platform
from model_dockerize.image.push import RegistryAuth, push
from model_dockerize.image.server import ServerSources, find_sources, server_image, server_ref, server_version
from model_dockerize.image.store import BUILD_ID_LABEL, Image, find, inspect, tag

__all__ = [
    "BUILD_ID_LABEL",
    "CACHE_TAG",
    "Archive",
    "BuildRequest",
    "Cache",
    "Contents",
    "Disk",
    "Engine",
    "Image",
    "RegistryAuth",
    "RunningContainer",
    "ServerSources",
    "Step",
    "build",
    "build_argv",
    "cache_options",
    "check_platform",
    "check_room",
    "choose_cache",
    "disk",
    "find",
    "find_sources",
    "held",
    "inspect",
    "load",
    "look",
    "own_platform",
    "probe",
    "push",
    "run",
    "save",
    "server_image",
    "server_ref",
    "server_version",
    "signed_in",
    "tag",
]
