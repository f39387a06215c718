"""The server builds on every Debian that it could be built on, and serves on bases that it was not built on."""

import uuid
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.rig.docker_command import CA_SECRET, docker

from .test_container import ROOT, Container, build, bundle, manifest

__all__ = ["bundle"]  # the fixture

TRIXIE = "python:3.13-slim-trixie"
MUSL = f"""\
FROM {TRIXIE} AS musl
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends busybox-static gcc libc6-dev musl-tools
COPY copy.c /
RUN mkdir -p /root/bin /root/lib && mkdir -m 1777 /root/tmp && cp /bin/busybox /root/bin/sh \\
    && musl-gcc -o /root/bin/copy /copy.c && cp -L /lib/ld-musl-*.so.1 /root/lib/
FROM scratch
COPY --from=musl /root/ /
"""
COPY = """\
#include <stdio.h>
int main(int count, char **names) {
    FILE *in = fopen(names[1], "r"), *out = fopen(names[2], "w");
    for (int c; (c = fgetc(in)) != EOF;) fputc(c, out);
    return 0;
}
"""
# The packages that a release calls required, unpacked: its C library and programs that use it.
DEBIAN = f"""\
FROM {TRIXIE} AS debian
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends debootstrap
RUN debootstrap --foreign --variant=minbase RELEASE /root && rm -rf /root/proc && mkdir /root/proc
FROM scratch
COPY --from=debian /root/ /
"""
PRELOAD = f"""\
FROM {TRIXIE}
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends libtcmalloc-minimal4
ENV LD_PRELOAD=libtcmalloc_minimal.so.4
"""
Made = Callable[[str, str], str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Build the image of a model that copies its input: on a base by this Dockerfile, with the server of `bundle`."""
    names = []

    def make(base: str, bundle: str) -> str:
        folder = tmp_path_factory.mktemp("base")
        (folder / "copy.c").write_text(COPY, encoding="utf-8")
        program = "/bin/copy" if base == MUSL else "/bin/cp"
        names.append(
            build(
                folder,
                f"{base}\nCOPY --from={bundle} /opt/model-server /opt/model-server\n"
                f"RUN {manifest([program, '{input}', '{output}'], '/')}\n"
                'ENTRYPOINT ["/opt/model-server/tini","--","/opt/model-server/model-server"]\n',
            )
        )
        return names[-1]

    yield make
    for name in names:
        docker("image", "rm", "--force", name)


def serves(image: str) -> None:
    with Container(image) as container:
        answer = requests.get(f"{container.url}/data/result/{container.job()}", timeout=5)
        assert answer.content == b"x"


def built_on(base: str) -> str:
    name = f"mdsrv-bundle-{uuid.uuid4().hex[:8]}"
    options = ["--target=model-server", f"--build-arg=SERVER_BASE={base}", f"--tag={name}", *CA_SECRET]
    docker("buildx", "build", "--quiet", *options, str(ROOT))
    return name


@pytest.mark.parametrize("base", [TRIXIE, "python:3.11-slim-bookworm"])
def test_it_builds_and_serves_on(base: str, made: Made) -> None:
    builds_and_serves(base, made)


def builds_and_serves(base: str, made: Made) -> None:
    name = built_on(base)
    try:
        image = made(f"FROM {base}", name)
        said = docker("run", "--rm", "--entrypoint=/opt/model-server/model-server", image, "--version")
        assert said.startswith("model-server ")
        serves(image)
    finally:
        docker("image", "rm", "--force", name)


@pytest.mark.parametrize(
    "base",
    [MUSL, DEBIAN.replace("RELEASE", "bullseye"), DEBIAN.replace("RELEASE", "forky"), PRELOAD],
    ids=["musl", "glibc-2.31", "newest-glibc", "preloaded-allocator"],
)
def test_it_serves_on(base: str, bundle: str, made: Made) -> None:
    serves(made(base, bundle))
