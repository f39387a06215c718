"""Renders Dockerfiles (docs/adr/0003-dockerfile-style.md)."""

from model_dockerize.errors import InputError, ProgramError
from model_dockerize.program.dockerfile.packages import (
    conda,
    init_script,
    install,
    local,
    renv,
    search_path,
    system_packages,
)
from model_dockerize.program.dockerfile.server import copy_server, manifest_steps, metadata
from model_dockerize.program.dockerfile.syntax import CONTEXT_ARGUMENT, FOLDER, copies, copy, quote
from model_dockerize.program.layers import large_files
from model_dockerize.program.naming import is_reference
from model_dockerize.program.types import MARKER, Program

#: Stands for the COPY of large files, which have a place of their own in the context that is sent.
LARGE_FILES = "# Here model-dockerize copies the large files, apart from the code; by hand they come with it."
_LONGEST_LINE = 65_535  # bytes; a longer one is refused by BuildKit's parser
_SHOWN = 100  # of a line that is longer


def render_dockerfile(program: Program, server_image: str) -> str:
    """Return the Dockerfile, the same bytes for the same inputs."""
    if not is_reference(server_image):
        raise InputError(f"The server image {server_image!r} is no image reference.")
    steps = (conda(program, server_image), renv(program, server_image), install(program, server_image))
    installed = "\n\n".join(filter(None, steps))
    code = copy(("",), "")
    large = LARGE_FILES if large_files(program) else ""
    init = init_script(program)
    server = copy_server(server_image)
    order: tuple[str, ...]
    if program.packages.need_code:
        order = (large, code, installed, local(program, server_image), init, server)
    elif program.init_reads is not None and not program.packages.local:
        order = (installed, large, *copies(program.init_reads), init, server, code)
    elif init or program.packages.local:
        order = (installed, large, code, local(program, server_image), init, server)
    else:
        order = (installed, large, server, code)
    blocks = (
        _head(program),
        _base(program),
        system_packages(program),
        f"ARG {CONTEXT_ARGUMENT}=.",
        *order,
        manifest_steps(program),
        metadata(program, server_image),
    )
    text = "\n\n".join(block for block in blocks if block) + "\n"
    longest = max(text.split("\n"), key=lambda line: len(line.encode("utf-8", "replace")))
    if len(longest.encode("utf-8", "replace")) > _LONGEST_LINE:
        raise ProgramError(
            f"A line of the Dockerfile has more than the {_LONGEST_LINE:,} bytes that BuildKit takes: "
            f"{longest.strip()[:_SHOWN]} ...",
            "Shorten the list or the text that it is made of.",
        )
    return text


def _head(program: Program) -> str:
    return "\n".join(
        (
            f"{MARKER} Edits are lost at its next run; settings belong into model-dockerize.yml.",
            f"# By hand, in this folder: docker build -t {program.name}:{program.version} -f THIS_FILE .",
            "# (after `model-dockerize build` on this engine: it makes the server's image, which no registry has)",
            "# (BuildKit; private packages: --secret id=pip-config,src=pip.conf --secret id=ca-bundle,src=ca.pem)",
        )
    )


def _base(program: Program) -> str:
    return "\n".join(
        (
            f"FROM {program.base_image}",
            "# The server starts as root, binds port 80, and becomes an ordinary user; the program is another.",
            "# With the group, nothing is looked up in /etc/passwd, which a base image may lack.",
            "# hadolint ignore=DL3002",
            "USER 0:0",
            "ENV PYTHONUNBUFFERED=1",
            *(f"ENV {name}={quote(value)}" for name, value in program.packages.variables),
            *search_path(program),
            f"WORKDIR {FOLDER}",
        )
    )
