"""The best cache is taken for each engine and each set of tokens, and buildx is told of it."""

from dataclasses import replace

import pytest

from model_dockerize.image import Cache, build_argv, cache_options, choose_cache
from tests.unit.image.test_build_argv import ENGINE, REQUEST

CI = {"CI": "true"}
ACTION = {**CI, "ACTIONS_RESULTS_URL": "https://results.example/", "ACTIONS_RUNTIME_TOKEN": "a-token"}
CLASSIC, CONTAINERD = False, True


@pytest.mark.parametrize(
    ("wanted", "version", "store", "pushes", "environment", "kind"),
    [
        # A computer that keeps its engine keeps its cache, too.
        ("auto", "28.5.2", CONTAINERD, True, {}, "none"),
        ("auto", "28.5.2", CONTAINERD, True, ACTION, "registry"),
        ("auto", "26.1.5", CONTAINERD, True, CI, "registry"),
        ("auto", "24.0.9", CONTAINERD, True, CI, "inline"),
        ("auto", "28.5.2", CLASSIC, True, ACTION, "inline"),
        ("auto", "20.10.24", CLASSIC, True, CI, "inline"),
        # A pull request, which does not push.
        ("auto", "28.5.2", CONTAINERD, False, ACTION, "gha"),
        ("auto", "26.1.5", CONTAINERD, False, ACTION, "none"),
        ("auto", "28.5.2", CLASSIC, False, ACTION, "none"),
        ("auto", "28.5.2", CONTAINERD, False, CI, "none"),
        # Asked for by name, on a laptop too; the next best where it cannot be had.
        ("registry", "26.1.5", CONTAINERD, True, {}, "registry"),
        ("registry", "26.1.5", CLASSIC, True, {}, "inline"),
        ("registry", "26.1.5", CONTAINERD, False, {}, "none"),
        ("gha", "28.5.2", CONTAINERD, True, ACTION, "gha"),
        ("gha", "28.5.2", CONTAINERD, True, CI, "registry"),
        ("gha", "27.5.1", CONTAINERD, True, ACTION, "registry"),
        ("gha", "28.5.2", CLASSIC, True, ACTION, "inline"),
        ("gha", "28.5.2", CONTAINERD, True, {**ACTION, "ACTIONS_RUNTIME_TOKEN": ""}, "registry"),
        ("inline", "28.5.2", CONTAINERD, True, ACTION, "inline"),
        ("inline", "28.5.2", CONTAINERD, False, ACTION, "none"),
        ("none", "28.5.2", CONTAINERD, True, ACTION, "none"),
    ],
)
def test_the_best_that_can_be_had(
    wanted: str, version: str, store: bool, pushes: bool, environment: dict[str, str], kind: str
) -> None:
    engine = replace(ENGINE, version=version, containerd_store=store)
    chosen = choose_cache(wanted, engine, pushes, environment)
    assert chosen.kind == kind
    # Whoever asked for another one is told why it is not that.
    assert wanted in ("auto", kind) or chosen.passed_over
    assert all(text.startswith("The cache cannot be ") and text.endswith(".") for text in chosen.passed_over)


def test_why_not_a_better_one() -> None:
    engine = replace(ENGINE, version="28.5.2", containerd_store=False)
    assert choose_cache("gha", engine, True, ACTION).passed_over == (
        "The cache cannot be gha: this Docker Engine keeps images in its classic store, which exports no cache.",
        "The cache cannot be registry: this Docker Engine keeps images in its classic store, which exports no cache.",
    )


def test_githubs_cache_is_not_said_to_be_for_actions_only_where_this_is_one() -> None:
    """Name GitHub Enterprise Server, too: it hands an Action no address of the cache, either."""
    engine = replace(ENGINE, version="28.5.2", containerd_store=True)
    given = {**CI, "GITHUB_WORKSPACE": "/github/workspace", "ACTIONS_RUNTIME_TOKEN": "a-token"}
    assert choose_cache("gha", engine, True, given).passed_over == (
        "The cache cannot be gha: GitHub's cache is open to Actions only, and not on GitHub Enterprise Server.",
    )


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("none", ()),
        ("inline", ("--cache-from=type=registry,ref=r.example/iris:cache", "--cache-to=type=inline")),
        (
            "registry",
            (
                "--cache-from=type=registry,ref=r.example/iris:cache",
                "--cache-to=type=registry,ref=r.example/iris:cache,mode=max,image-manifest=true,oci-mediatypes=true,"
                "ignore-error=true",
            ),
        ),
        (
            "gha",
            (
                "--cache-from=type=gha,version=2,url=https://results.example/,url_v2=https://results.example/,scope=iris",
                "--cache-to=type=gha,version=2,url=https://results.example/,url_v2=https://results.example/,scope=iris,"
                "mode=max,ignore-error=true",
            ),
        ),
    ],
)
def test_what_buildx_is_told(kind: str, options: tuple[str, ...]) -> None:
    told = cache_options(Cache(kind), "r.example/iris", "iris", ACTION)
    assert told == options
    argv = build_argv(replace(REQUEST, cache=told), ENGINE)
    assert set(options) <= set(argv)
    # Values of the command line are public in the list of processes.
    assert "a-token" not in " ".join(argv)


@pytest.mark.parametrize(("store", "wanted", "expected"), [(True, True, "mode=min"), (True, False, "false")])
def test_provenance_is_said_either_way(store: bool, wanted: bool, expected: str) -> None:
    argv = build_argv(replace(REQUEST, provenance=wanted), replace(ENGINE, containerd_store=store))
    assert f"--provenance={expected}" in argv
