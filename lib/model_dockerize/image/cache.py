"""Chooses BuildKit's cache for engines thrown away after each run (docs/adr/0008).

As measured, the classic image store only writes a cache into the image itself ("inline").
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model_dockerize.image.engine import Engine, numbers

TAG = "cache"  # in the model's own repository
# The first that nothing stands in the way of is taken.
_LADDER = {
    "auto": ("registry", "gha", "inline"),
    "registry": ("registry", "inline"),
    "gha": ("gha", "registry", "inline"),
    "inline": ("inline",),
    "none": (),
}


@dataclass(frozen=True)
class Cache:
    """The kind of cache ("none": only the engine's), and why no other."""

    kind: str
    passed_over: tuple[str, ...] = ()  # one sentence each


def choose_cache(wanted: str, engine: Engine, pushes: bool, environment: Mapping[str, str]) -> Cache:
    """Choose the best cache that engine and tokens allow.

    Without CI, auto is none: the engine stays.
    """
    if wanted == "auto" and not environment.get("CI"):
        return Cache("none")
    passed_over: list[str] = []
    for kind in _LADDER[wanted]:
        obstacle = _obstacle(kind, engine, pushes, environment)
        if not obstacle:
            return Cache(kind, tuple(passed_over))
        passed_over.append(f"The cache cannot be {kind}: {obstacle}.")
    return Cache("none", tuple(passed_over))


def cache_options(cache: Cache, repository: str, scope: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the options of `docker buildx build`.

    Args:
        repository: may be empty.
        scope: separates models in GitHub's cache.
    """
    source = _option("from", type="registry", ref=f"{repository}:{TAG}")
    if cache.kind == "registry":
        # The two in the middle make of it what Amazon ECR accepts: an ordinary OCI image.
        shape = {"mode": "max", "image-manifest": "true", "oci-mediatypes": "true", "ignore-error": "true"}
        return (source, _option("to", type="registry", ref=f"{repository}:{TAG}", **shape))
    if cache.kind == "gha":
        # A container action is not given ACTIONS_CACHE_SERVICE_V2, so we say it; buildx adds the token itself.
        url = environment["ACTIONS_RESULTS_URL"]
        service = {"type": "gha", "version": "2", "url": url, "url_v2": url, "scope": scope}
        return (_option("from", **service), _option("to", **service, mode="max", **{"ignore-error": "true"}))
    if cache.kind == "inline":
        return (source, _option("to", type="inline"))
    return ()


def cache_variables(cache: Cache, environment: Mapping[str, str]) -> dict[str, str]:
    names = ("ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL") if cache.kind == "gha" else ()
    return {name: environment[name] for name in names if name in environment}


def _obstacle(kind: str, engine: Engine, pushes: bool, environment: Mapping[str, str]) -> str:
    if kind != "gha" and not pushes:
        return "the image is not pushed"
    if kind == "inline":
        return ""
    if not engine.containerd_store:
        return "this Docker Engine keeps images in its classic store, which exports no cache"
    if kind == "registry":
        return "" if _at_least(engine, 25) else f"Docker Engine {engine.version} writes none that ECR takes, 25 does"
    if not environment.get("ACTIONS_RESULTS_URL") or not environment.get("ACTIONS_RUNTIME_TOKEN"):
        return "GitHub's cache is open to Actions only, and not on GitHub Enterprise Server"
    return "" if _at_least(engine, 28) else f"Docker Engine {engine.version} does not know its version 2, 28 does"


def _at_least(engine: Engine, major: int) -> bool:
    return numbers(engine.version) >= (major,)


def _option(direction: str, **fields: str) -> str:
    return f"--cache-{direction}=" + ",".join(_pairs(fields.items()))


def _pairs(fields: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (f"{name}={value}" for name, value in fields)
