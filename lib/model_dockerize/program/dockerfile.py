"""Renders Dockerfiles in the style of docs/adr/0003-dockerfile-style.md."""

import dataclasses
import json
import re
import shlex
from typing import Any

from model_dockerize.errors import InputError, ProgramError
from model_dockerize.program import notebook
from model_dockerize.program.layers import large_files
from model_dockerize.program.naming import is_reference
from model_dockerize.program.types import MARKER, Program

CONTEXT_ARGUMENT = "MODEL_CONTEXT"
#: Stands for the COPY of large files, which have a place of their own in the context that is sent.
LARGE_FILES = "# Here model-dockerize copies the large files, apart from the code; by hand they come with it."
TIMEOUT_SECONDS = 3600
UPLOAD_BYTES = 2 * 1024**3

_LONGEST_LINE = 65_535  # bytes; a longer one is refused by BuildKit's parser
_SHOWN = 100  # of a line that is longer
_FOLDER = "/program"
_SERVER = "/opt/model-server"
_INSTALLER = "/run/install"
#: Of conda's packages; lib/model_installer/conda.py makes it. /opt/conda may be the base image's own.
_ENVIRONMENT = "/opt/environment"
_PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)[0-9.]*")
_PIP_CACHE = "/root/.cache/pip"
#: HOME of the init script; model_runner/room.py shows it to the program.
_HOME = "/home/model"
#: What stands in for sudo, which images lack: it runs what follows its options. The script is root's already.
SUDO_SCRIPT = r'#!/bin/sh\nwhile case "$1" in -u|-g) shift;; -*) ;; *) false;; esac; do shift; done\nexec env "$@"\n'
_SUDO = (
    "if ! command -v sudo > /dev/null; then mkdir /tmp/sudo;"
    f" printf '{SUDO_SCRIPT}' > /tmp/sudo/sudo;"
    ' chmod +x /tmp/sudo/sudo; export PATH="$PATH:/tmp/sudo"; fi;'
)
# Old engines know these without a `# syntax=` line, which would have to be pulled from a registry.
_CA_BUNDLE = "--mount=type=secret,id=ca-bundle,required=false"
_MOUNTS = (
    f"--mount=type=cache,target={_PIP_CACHE}",
    "--mount=type=secret,id=pip-config,required=false",
    _CA_BUNDLE,
)
_UV_CACHE = "--mount=type=cache,target=/root/.cache/uv"
_CONDA_CACHE = "--mount=type=cache,target=/root/.cache/rattler"
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
    """Return the Dockerfile; the same inputs give the same bytes.

    Raises:
        InputError: `server_image` is no image reference.
        ProgramError: a line is longer than BuildKit takes.
    """
    if not is_reference(server_image):
        raise InputError(f"The server image {server_image!r} is no image reference.")
    steps = (_conda(program, server_image), _renv(program, server_image), _install(program, server_image))
    install = "\n\n".join(filter(None, steps))
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
            *(f"ENV {name}={_quote(value)}" for name, value in program.packages.variables),
            *_search_path(program),
            f"WORKDIR {_FOLDER}",
        )
    )


def _search_path(program: Program) -> tuple[str, str]:
    if program.packages.conda:
        return "# The packages of conda, before what the base image has.", f"ENV PATH={_ENVIRONMENT}/bin:$PATH"
    return (
        "# For micromamba's images, whose entrypoint puts this on PATH: it is replaced here.",
        "ENV PATH=$PATH:/opt/conda/bin",
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


def _conda(program: Program, server_image: str) -> str:
    words = program.packages.conda
    if not words:
        return ""
    copies = _copies((program.packages.source,)) if program.packages.source in words else []
    call = f"python3 {_INSTALLER}/model_installer --conda {shlex.join(words)}"
    return "\n".join((*copies, _run(*_mounts(server_image), _CONDA_CACHE, *_SECRETS, call)))


def _renv(program: Program, server_image: str) -> str:
    words = program.packages.renv
    if not words:
        return ""
    call = f"Rscript --vanilla {_INSTALLER}/model_installer/restore.R {shlex.join(words)}"
    return "\n".join(
        (
            *_copies((program.packages.source,)),
            _run(*_mounts(server_image), *_SECRETS, 'export CURL_CA_BUNDLE="${SSL_CERT_FILE:-}";', call),
            "# Else renv/activate.R would look for a library of the folder's own, and fetch it for each job.",
            "ENV RENV_CONFIG_AUTOLOADER_ENABLED=FALSE",
        )
    )


def _install(program: Program, server_image: str) -> str:
    packages = program.packages
    if not packages.file:
        return _notebook(program, server_image)
    # The packages are installed again only if one of these files changes.
    copies = [] if packages.need_code else _copies((packages.file, *packages.includes))
    listed = f"{_installer(program)} -r {shlex.quote(_path(packages.file))}"
    # Apart: none without a hash is taken beside others that have one.
    unhashed = [f"&& {_installer(program)} {shlex.join(packages.unhashed)}"] if packages.unhashed else []
    steps = (*copies, _run(*_mounts(server_image), *_SECRETS, listed, *unhashed), _notebook(program, server_image))
    return "\n".join(step for step in steps if step)


def _notebook(program: Program, server_image: str) -> str:
    if not program.is_notebook:
        return ""
    index = f" --extra-index-url {shlex.quote(program.torch_index)}" if program.torch_index else ""
    call = (
        f"{_interpreter(program)} {_INSTALLER}/model_installer --keep-installed{index} {shlex.join(notebook.PACKAGES)}"
    )
    return _run(*_mounts(server_image), *_SECRETS, call)


def _local(program: Program, server_image: str) -> str:
    local = program.packages.local
    return _run(*_mounts(server_image), *_SECRETS, f"{_installer(program)} {shlex.join(local)}") if local else ""


def _mounts(server_image: str) -> tuple[str, ...]:
    return (f"--mount=type=bind,from={server_image},source=/install,target={_INSTALLER}", _UV_CACHE, *_MOUNTS)


def _installer(program: Program) -> str:
    listed = " --no-deps" if program.packages.exact else ""
    index = f" --extra-index-url {shlex.quote(program.torch_index)}" if program.torch_index else ""
    return f"{_interpreter(program)} {_INSTALLER}/model_installer{listed}{index}"


def _init(program: Program) -> str:
    if not program.init_file:
        return ""
    shell = '"$(command -v bash || command -v sh)"' if program.init_shell == "bash" else "sh"
    script = f"mkdir -p {_HOME} && {shell} {shlex.quote(_path(program.init_file))} && chmod -R a+rX {_HOME}"
    steps = [mount.replace(_PIP_CACHE, f"{_HOME}/.cache/pip") for mount in _MOUNTS]
    steps += _SECRETS
    left = []
    if program.init_calls_sudo:
        steps.append(_SUDO)
        left.append("/tmp/sudo")  # noqa: S108  in the image
    if program.init_lacks_lists:
        steps += [_APT_CA_BUNDLE, "apt-get update &&"]
        left += ["/var/lib/apt/lists/*", "/tmp/apt.conf"]  # noqa: S108  the same
    steps += [script, f"&& rm -rf {' '.join(left)}"] if left else [script]
    said = "# What the script leaves in HOME, such as fetched weights, the program finds in its own."
    return f"{said}\nENV HOME={_HOME}\n{_run(*steps)}"


def _copy_server(server_image: str) -> str:
    # After steps that a new server must not rerun, before files that change more often.
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
            "limits": {"timeout_seconds": TIMEOUT_SECONDS, "upload_bytes": UPLOAD_BYTES, **_batches(program)},
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
    words = [f"{_SERVER}/model-server", "prepare", program.command[0]]
    # A base's SHELL may change PATH: where pip runs in it, `prepare` must, to find the same Python.
    needs_shell = program.packages.source or program.init_file or program.system_packages or program.is_notebook
    return _run(shlex.join(words)) if needs_shell else f"RUN {json.dumps(words, ensure_ascii=False)}"


def _batches(program: Program) -> dict[str, int]:
    if not program.batch_records:
        return {}
    return {"batch_records": program.batch_records, "batch_wait_ms": program.batch_wait_ms}


def _declarations(program: Program) -> dict[str, Any]:
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
    if program.proof:
        found["proof"] = {name: file for name, file in dataclasses.asdict(program.proof).items() if file}
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
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        by_folder.setdefault(path.rpartition("/")[0], []).append(path)
    return [_copy(tuple(files), folder) for folder, files in by_folder.items()]


def _copy(paths: tuple[str, ...], folder: str) -> str:
    sources = [f"${{{CONTEXT_ARGUMENT}}}/{_copy_word(path)}" for path in paths]
    target = f"{_FOLDER}/{_copy_word(folder, glob=False)}/" if folder else f"{_FOLDER}/"
    return f"COPY {json.dumps([*sources, target], ensure_ascii=False)}"


def _copy_word(path: str, *, glob: bool = True) -> str:
    # BuildKit expands variables and quotes in a path, then matches it as a pattern.
    pattern = "".join(f"[{char}]" if glob and char in "*?[" else char for char in path)
    return re.sub(r"""([\\$"'])""", r"\\\1", pattern)


def _interpreter(program: Program) -> str:
    # As `model-server prepare` finds it.
    first = program.command[0]
    if first != "python" and _PYTHON.fullmatch(first):
        return shlex.quote(first)
    return '"$(command -v python || echo python3)"'


def _path(path: str) -> str:
    # So that it is not taken for an option.
    return f"./{path}"


def _quote(text: str) -> str:
    return '"' + re.sub(r"""([\\$"])""", r"\\\1", text) + '"'
