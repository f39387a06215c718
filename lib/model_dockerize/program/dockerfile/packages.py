"""Dockerfile steps that install packages and run the init script."""

import shlex

from model_dockerize.program import notebook
from model_dockerize.program.dockerfile.syntax import copies, interpreter, path_word, run
from model_dockerize.program.types import Program

_INSTALLER = "/run/install"
#: Of conda's packages; lib/model_installer/conda.py makes it. /opt/conda may be the base image's own.
_ENVIRONMENT = "/opt/environment"
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


def search_path(program: Program) -> tuple[str, str]:
    if program.packages.conda:
        return "# The packages of conda, before what the base image has.", f"ENV PATH={_ENVIRONMENT}/bin:$PATH"
    return (
        "# For micromamba's images, whose entrypoint puts this on PATH: it is replaced here.",
        "ENV PATH=$PATH:/opt/conda/bin",
    )


def system_packages(program: Program) -> str:
    if not program.system_packages:
        return ""
    names = " ".join(map(shlex.quote, program.system_packages))
    return "# The base image's release decides on versions; name=version fixes one.\n# hadolint ignore=DL3008\n" + run(
        _CA_BUNDLE,
        _APT_CA_BUNDLE,
        "apt-get update",
        f"&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {names}",
        "&& rm -rf /var/lib/apt/lists/* /tmp/apt.conf",
    )


def conda(program: Program, server_image: str) -> str:
    words = program.packages.conda
    if not words:
        return ""
    copied = copies((program.packages.source,)) if program.packages.source in words else []
    call = f"python3 {_INSTALLER}/model_installer --conda {shlex.join(words)}"
    return "\n".join((*copied, run(*_mounts(server_image), _CONDA_CACHE, *_SECRETS, call)))


def renv(program: Program, server_image: str) -> str:
    words = program.packages.renv
    if not words:
        return ""
    call = f"Rscript --vanilla {_INSTALLER}/model_installer/restore.R {shlex.join(words)}"
    return "\n".join(
        (
            *copies((program.packages.source,)),
            run(*_mounts(server_image), *_SECRETS, 'export CURL_CA_BUNDLE="${SSL_CERT_FILE:-}";', call),
            "# Else renv/activate.R would look for a library of the folder's own, and fetch it for each job.",
            "ENV RENV_CONFIG_AUTOLOADER_ENABLED=FALSE",
        )
    )


def install(program: Program, server_image: str) -> str:
    packages = program.packages
    if not packages.file:
        return _notebook(program, server_image)
    # The packages are installed again only if one of these files changes.
    copied = [] if packages.need_code else copies((packages.file, *packages.includes))
    listed = f"{_installer(program)} -r {shlex.quote(path_word(packages.file))}"
    # Apart: none without a hash is taken beside others that have one.
    unhashed = [f"&& {_installer(program)} {shlex.join(packages.unhashed)}"] if packages.unhashed else []
    steps = (*copied, run(*_mounts(server_image), *_SECRETS, listed, *unhashed), _notebook(program, server_image))
    return "\n".join(step for step in steps if step)


def _notebook(program: Program, server_image: str) -> str:
    if not program.is_notebook:
        return ""
    index = f" --extra-index-url {shlex.quote(program.torch_index)}" if program.torch_index else ""
    call = (
        f"{interpreter(program)} {_INSTALLER}/model_installer --keep-installed{index} {shlex.join(notebook.PACKAGES)}"
    )
    return run(*_mounts(server_image), *_SECRETS, call)


def local(program: Program, server_image: str) -> str:
    local = program.packages.local
    return run(*_mounts(server_image), *_SECRETS, f"{_installer(program)} {shlex.join(local)}") if local else ""


def init_script(program: Program) -> str:
    if not program.init_file:
        return ""
    shell = '"$(command -v bash || command -v sh)"' if program.init_shell == "bash" else "sh"
    script = f"mkdir -p {_HOME} && {shell} {shlex.quote(path_word(program.init_file))} && chmod -R a+rX {_HOME}"
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
    return f"{said}\nENV HOME={_HOME}\n{run(*steps)}"


def _mounts(server_image: str) -> tuple[str, ...]:
    return (f"--mount=type=bind,from={server_image},source=/install,target={_INSTALLER}", _UV_CACHE, *_MOUNTS)


def _installer(program: Program) -> str:
    listed = " --no-deps" if program.packages.exact else ""
    index = f" --extra-index-url {shlex.quote(program.torch_index)}" if program.torch_index else ""
    return f"{interpreter(program)} {_INSTALLER}/model_installer{listed}{index}"
