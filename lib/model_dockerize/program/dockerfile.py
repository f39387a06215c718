"""Renders the Dockerfile of a program; docs/adr/0003-dockerfile-style.md says why it looks as it does."""

import dataclasses
import json
import re
import shlex
from typing import Any

from model_dockerize.errors import InputError
from model_dockerize.program.layers import large_files
from model_dockerize.program.naming import is_reference
from model_dockerize.program.types import MARKER, Program

CONTEXT_ARGUMENT = "MODEL_CONTEXT"
#: Stands for the COPY of large files, which have a place of their own in the context that is sent.
LARGE_FILES = "# Here model-dockerize copies the large files, apart from the code; by hand they come with it."
TIMEOUT_SECONDS = 3600
UPLOAD_BYTES = 2 * 1024**3

_FOLDER = "/program"
_SERVER = "/opt/model-server"
_INSTALLER = "/run/install"
_PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)[0-9.]*")
# Old engines know these without a `# syntax=` line, which would have to be pulled from a registry.
_CA_BUNDLE = "--mount=type=secret,id=ca-bundle,required=false"
_MOUNTS = (
    "--mount=type=cache,target=/root/.cache/pip",
    "--mount=type=secret,id=pip-config,required=false",
    _CA_BUNDLE,
)
_UV_CACHE = "--mount=type=cache,target=/root/.cache/uv"
_APT_CA_BUNDLE = (
    "if [ -f /run/secrets/ca-bundle ]; then"
    """ echo 'Acquire::https::CAInfo "/run/secrets/ca-bundle";' > /tmp/apt.conf; export APT_CONFIG=/tmp/apt.conf; fi;"""
)
_SECRETS = (
    "if [ -f /run/secrets/pip-config ]; then export PIP_CONFIG_FILE=/run/secrets/pip-config; fi;",
    "if [ -f /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle"
    " SSL_CERT_FILE=/run/secrets/ca-bundle REQUESTS_CA_BUNDLE=/run/secrets/ca-bundle; fi;",
    "export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_USER=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1;",
)


def render_dockerfile(program: Program, server_image: str) -> str:
    """The Dockerfile as text: the same program and server image give the same bytes.

    Args:
        server_image: reference of the image that holds the model server.
    Raises:
        InputError: `server_image` is no image reference.
    """
    if not is_reference(server_image):
        raise InputError(f"The server image {server_image!r} is no image reference.")
    install = _install(program, server_image)
    code = _copy(("",), "")
    large = LARGE_FILES if large_files(program) else ""
    init = _init(program)
    server = _copy_server(server_image)
    order: tuple[str, ...]
    if program.packages.need_code:
        order = (large, code, install, _local(program, server_image), init, server)
    elif program.init_reads is not None and not program.packages.local:
        order = (install, large, *_copies(program.init_reads), init, server, code)
    elif init or program.packages.local:
        order = (install, large, code, _local(program, server_image), init, server)
    else:
        order = (install, large, server, code)
    blocks = (
        _head(program),
        _base(program),
        _system_packages(program),
        f"ARG {CONTEXT_ARGUMENT}=.",
        *order,
        _server(program),
        _metadata(program, server_image),
    )
    return "\n\n".join(block for block in blocks if block) + "\n"


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
            "# For micromamba's images, whose entrypoint puts this on PATH: it is replaced here.",
            "ENV PATH=$PATH:/opt/conda/bin",
            f"WORKDIR {_FOLDER}",
        )
    )


def _system_packages(program: Program) -> str:
    if not program.system_packages:
        return ""
    names = " ".join(map(shlex.quote, program.system_packages))
    return "# The base image's release decides on versions; name=version fixes one.\n# hadolint ignore=DL3008\n" + _run(
        _CA_BUNDLE,
        _APT_CA_BUNDLE,
        "apt-get update",
        f"&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {names}",
        "&& rm -rf /var/lib/apt/lists/* /tmp/apt.conf",
    )


def _install(program: Program, server_image: str) -> str:
    packages = program.packages
    if not packages.file:
        return ""
    # The packages are installed again only if one of these files changes.
    copies = [] if packages.need_code else _copies((packages.file, *packages.includes))
    listed = f"{_installer(program)} -r {shlex.quote(_path(packages.file))}"
    # Apart: none without a hash is taken beside others that have one.
    unhashed = [f"&& {_installer(program)} {shlex.join(packages.unhashed)}"] if packages.unhashed else []
    return "\n".join((*copies, _run(*_mounts(server_image), *_SECRETS, listed, *unhashed)))


def _local(program: Program, server_image: str) -> str:
    """Installs the project itself, or packages that lie in its folder."""
    local = program.packages.local
    return _run(*_mounts(server_image), *_SECRETS, f"{_installer(program)} {shlex.join(local)}") if local else ""


def _mounts(server_image: str) -> tuple[str, ...]:
    """Mount the installer (lib/model_installer, and uv) besides: it is in no layer."""
    return (f"--mount=type=bind,from={server_image},source=/install,target={_INSTALLER}", _UV_CACHE, *_MOUNTS)


def _installer(program: Program) -> str:
    """Call the installer, which takes the arguments of `pip install`."""
    listed = " --no-deps" if program.packages.exact else ""
    index = f" --extra-index-url {shlex.quote(program.torch_index)}" if program.torch_index else ""
    return f"{_interpreter(program)} {_INSTALLER}/model_installer{listed}{index}"


def _init(program: Program) -> str:
    if not program.init_file:
        return ""
    shell = '"$(command -v bash || command -v sh)"' if program.init_shell == "bash" else "sh"
    script = f"{shell} {shlex.quote(_path(program.init_file))}"
    if not program.init_lacks_lists:
        return _run(*_MOUNTS, *_SECRETS, script)
    update, clean = "apt-get update &&", "&& rm -rf /var/lib/apt/lists/* /tmp/apt.conf"
    return _run(*_MOUNTS, *_SECRETS, _APT_CA_BUNDLE, update, script, clean)


def _copy_server(server_image: str) -> str:
    """Copies the server: after what must not run again for a new one, before what changes more often."""
    return "\n".join(
        (
            "# A new server runs no step above again. With these slashes the layer is the same in every build.",
            f"COPY --from={server_image} /opt/ /opt/",
        )
    )


def _server(program: Program) -> str:
    manifest = json.dumps(
        {
            "name": program.name,
            "version": program.version,
            "command": list(program.command),
            "working_directory": _FOLDER,
            "input_types": list(program.input_types),
            "output_types": list(program.output_types),
            "limits": {"timeout_seconds": TIMEOUT_SECONDS, "upload_bytes": UPLOAD_BYTES},
            **_declarations(program),
        }
    )
    tests = json.dumps([dataclasses.asdict(test) for test in program.tests])
    may_be_warm = program.image_sample and program.runner_mode == "auto" and _PYTHON.fullmatch(program.command[0])
    prove = f"RUN {json.dumps([f'{_SERVER}/model-server', 'selftest', tests])}"
    return "\n".join(
        (
            "# The program keeps the base image's LD_PRELOAD; the server, with a C library of its own, goes without.",
            "ARG LD_PRELOAD",
            "ENV MODEL_LD_PRELOAD=$LD_PRELOAD",
            "ENV LD_PRELOAD=",
            _prepare(program),
            "ARG MODEL_BUILD_ID=local",
            f"RUN {json.dumps([f'{_SERVER}/model-server', 'manifest', manifest])}",
            "ENV MODEL_BUILD_ID=$MODEL_BUILD_ID",
            *([prove] if program.tests or may_be_warm else ()),
        )
    )


def _prepare(program: Program) -> str:
    """Runs `prepare` in the shell if pip runs there: a base's SHELL may change PATH, and both must find one Python."""
    words = [f"{_SERVER}/model-server", "prepare", program.command[0]]
    needs_shell = program.packages.source or program.init_file or program.system_packages
    return _run(shlex.join(words)) if needs_shell else f"RUN {json.dumps(words, ensure_ascii=False)}"


def _declarations(program: Program) -> dict[str, Any]:
    """What the manifest holds of programs that declare it."""
    found: dict[str, Any] = {}
    if program.schema is not None:
        found["schema"] = {
            side: [{"Path": field.path, "DataType": field.data_type, "Optional": field.optional} for field in fields]
            for side, fields in (("input", program.schema.input), ("output", program.schema.output))
        }
    if program.uses_library:
        found["uses_library"] = True
    if program.runner_mode != "auto":
        found["runner_mode"] = program.runner_mode
    if program.image_sample:
        found["sample"] = program.image_sample
    if program.license_public_key:
        found["license_public_key"] = program.license_public_key
    return found


def _metadata(program: Program, server_image: str) -> str:
    labels = (
        ("org.opencontainers.image.title", _quote(program.name)),
        ("org.opencontainers.image.version", _quote(program.version)),
        ("org.opencontainers.image.description", _quote(f"Model {program.name} behind the container API")),
        ("org.opencontainers.image.base.name", _quote(program.base_image)),
        ("io.model-dockerize.build-id", '"$MODEL_BUILD_ID"'),
        ("io.model-dockerize.server", _quote(server_image)),
    )
    return "\n".join(
        (
            "LABEL " + " \\\n      ".join(f"{key}={value}" for key, value in labels),
            "EXPOSE 80",
            "STOPSIGNAL SIGTERM",
            "HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\",
            f"    CMD {json.dumps([f'{_SERVER}/model-server', 'health'])}",
            f"ENTRYPOINT {json.dumps([f'{_SERVER}/tini', '--', f'{_SERVER}/model-server'])}",
            "CMD []",
        )
    )


def _run(*parts: str) -> str:
    return "RUN " + " \\\n    ".join(parts)


def _copies(paths: tuple[str, ...]) -> list[str]:
    """COPY of files, one for each folder that they are in."""
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        by_folder.setdefault(path.rpartition("/")[0], []).append(path)
    return [_copy(tuple(files), folder) for folder, files in by_folder.items()]


def _copy(paths: tuple[str, ...], folder: str) -> str:
    """COPY of files or, for an empty path, of everything, in the form that keeps spaces."""
    sources = [f"${{{CONTEXT_ARGUMENT}}}/{_copy_word(path)}" for path in paths]
    target = f"{_FOLDER}/{_copy_word(folder, glob=False)}/" if folder else f"{_FOLDER}/"
    return f"COPY {json.dumps([*sources, target], ensure_ascii=False)}"


def _copy_word(path: str, *, glob: bool = True) -> str:
    """A path as COPY must find it: BuildKit expands variables and quotes in it, and then matches it as a pattern."""
    pattern = "".join(f"[{char}]" if glob and char in "*?[" else char for char in path)
    return re.sub(r"""([\\$"'])""", r"\\\1", pattern)


def _interpreter(program: Program) -> str:
    """Names the Python that gets the packages: the one that runs the program, as `model-server prepare` finds it."""
    first = program.command[0]
    if first != "python" and _PYTHON.fullmatch(first):
        return shlex.quote(first)
    return '"$(command -v python || echo python3)"'


def _path(path: str) -> str:
    """A path that cannot be taken for an option."""
    return f"./{path}"


def _quote(text: str) -> str:
    return '"' + re.sub(r"""([\\$"])""", r"\\\1", text) + '"'
