"""Docker Engine and its images."""

from model_dockerize.image.archive import Archive, check_room, held, load, save
from model_dockerize.image.build import BuildRequest, build, build_argv
from model_dockerize.image.buildlog import Step
from model_dockerize.image.builds import recall
from model_dockerize.image.cache import TAG as CACHE_TAG
from model_dockerize.image.cache import Cache, cache_options, cache_variables, choose_cache
from model_dockerize.image.causes import diagnose_program
from model_dockerize.image.container import RunningContainer, run
from model_dockerize.image.contents import Contents, look
from model_dockerize.image.engine import Engine, probe
from model_dockerize.image.login import log_in, signed_in
from model_dockerize.image.platform import check_platform, own_platform, runs
from model_dockerize.image.proxies import passwords as proxy_passwords
from model_dockerize.image.proxies import unreachable as unreachable_proxies
from model_dockerize.image.push import RegistryAuth, name_image, push, push_named
from model_dockerize.image.readiness import find_base, free_disk, sign_in
from model_dockerize.image.serve import CONTAINER_PREFIX, Place, container_name, serve, served, serves, stop
from model_dockerize.image.server import ServerSources, find_sources, server_image, server_ref, server_version
from model_dockerize.image.store import BUILD_ID_LABEL, Image, find, has, inspect, named, tag

__all__ = [
    "BUILD_ID_LABEL",
    "CACHE_TAG",
    "CONTAINER_PREFIX",
    "Archive",
    "BuildRequest",
    "Cache",
    "Contents",
    "Engine",
    "Image",
    "Place",
    "RegistryAuth",
    "RunningContainer",
    "ServerSources",
    "Step",
    "build",
    "build_argv",
    "cache_options",
    "cache_variables",
    "check_platform",
    "check_room",
    "choose_cache",
    "container_name",
    "diagnose_program",
    "find",
    "find_base",
    "find_sources",
    "free_disk",
    "has",
    "held",
    "inspect",
    "load",
    "log_in",
    "look",
    "name_image",
    "named",
    "own_platform",
    "probe",
    "proxy_passwords",
    "push",
    "push_named",
    "recall",
    "run",
    "runs",
    "save",
    "serve",
    "served",
    "server_image",
    "server_ref",
    "server_version",
    "serves",
    "sign_in",
    "signed_in",
    "stop",
    "tag",
    "unreachable_proxies",
]
