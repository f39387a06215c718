#!/usr/bin/env python3
"""Runs a command as a job on GitHub's ubuntu-24.04 would: `python tests/rig/hosted_runner.py scripts/test`.

An ordinary user (uid 1001, group docker) with a fresh clone of HEAD, Ubuntu's os-release, Docker 28 with the classic
image store, and no root. All of it lives in namespaces of its own (mounts, network, processes), so nothing of this
machine's engine is touched and nothing is left. Needs root on Debian and an engine that has the base images.

What a hosted runner has: https://github.com/actions/runner-images/blob/main/images/ubuntu/Ubuntu2404-Readme.md
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from machine import base_image, daemon, debian
from machine.host import EXIT_REFUSED, MachineError, is_root, parse_os_release, run, say
from rig.subnets import free_subnet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path("/opt/model-dockerize/hosted-runner")
RELEASE = "forky"  # the Debian release whose docker.io is 28
PACKAGES = ["docker.io", "docker-cli", "docker-buildx", "containerd", "tini-static"]
#: Programs that the daemon calls, and those that tests use and a hosted runner has.
INSTALLED = ["runc", "iptables", "iproute2", "libsystemd0", "python3", "python3-venv", "git", "chromium", "postgresql"]
#: Programs that a hosted runner lacks.
ABSENT = ["sbin/debootstrap", "bin/bindfs", "bin/qemu-aarch64-static"]
OS_RELEASE = """\
PRETTY_NAME="Ubuntu 24.04.3 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.3 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME=noble
"""
USER, UID = "runner", 1001
HOME = Path("/home/runner")
WORKSPACE = HOME / "work" / "model-dockerize" / "model-dockerize"
TEMP = HOME / "work" / "_temp"
SOCKET = Path("/run/docker.sock")
#: Variables that are kept: how this machine reaches its package indexes is no property of a runner.
NETWORK = ("PIP_", "UV_", "SSL_CERT_", "NODE_EXTRA_CA_CERTS")


def environment(given: dict[str, str], head: str) -> dict[str, str]:
    """Make the variables of a step, in place of the caller's."""
    kept = {name: value for name, value in given.items() if name.startswith(NETWORK)}
    facts = {
        "ACTION": "__run",
        "ACTIONS": "true",
        "ACTOR": "somebody",
        "API_URL": "https://api.github.com",
        "EVENT_NAME": "push",
        "EVENT_PATH": f"{TEMP}/_github_workflow/event.json",
        "JOB": "test",
        "REF": "refs/heads/main",
        "REF_NAME": "main",
        "REF_TYPE": "branch",
        "REPOSITORY": "somebody/model-dockerize",
        "REPOSITORY_OWNER": "somebody",
        "RUN_ATTEMPT": "1",
        "RUN_ID": "1",
        "RUN_NUMBER": "1",
        "SERVER_URL": "https://github.com",
        "SHA": head,
        "WORKFLOW": "ci",
        "WORKSPACE": str(WORKSPACE),
        **{name: f"{TEMP}/{name.lower()}" for name in ("ENV", "OUTPUT", "PATH", "STATE", "STEP_SUMMARY")},
    }
    runner = {
        "ARCH": "X64",
        "ENVIRONMENT": "github-hosted",
        "NAME": "GitHub Actions 1",
        "OS": "Linux",
        "TEMP": str(TEMP),
        "TOOL_CACHE": "/opt/hostedtoolcache",
        "WORKSPACE": str(WORKSPACE.parent),
    }
    return {
        **kept,
        "CI": "true",
        "HOME": str(HOME),
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": f"{HOME}/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ImageOS": "ubuntu24",
        **{f"GITHUB_{name}": value for name, value in facts.items()},
        **{f"RUNNER_{name}": value for name, value in runner.items()},
    }


def install() -> None:
    """Install what the runner is made of.

    Raises:
        MachineError: this machine cannot have it; says why.
    """
    host = parse_os_release(Path("/etc/os-release").read_text())
    codename = host.get("VERSION_CODENAME", "")
    if host.get("ID") != "debian" or not is_root():
        raise MachineError("A hosted runner can only be imitated by root on Debian.")
    debian.refresh()
    debian.install(*INSTALLED)
    if not (PROGRAMS / "usr/sbin/dockerd").exists():
        debian.unpack(PACKAGES, debian.for_release(debian.debian_sources(codename), codename, RELEASE), PROGRAMS)


def furnish(work: Path) -> None:
    """Make the files that replace this machine's: a layer over /usr, users, home, and the base images."""
    usr = work / "usr"
    for folder in ("lib", "sbin", "bin", "local/bin", "local/lib/docker/cli-plugins"):
        (usr / folder).mkdir(parents=True)
    (usr / "lib/os-release").write_text(OS_RELEASE)
    for name in ABSENT:
        os.mknod(usr / name, 0o600, os.makedev(0, 0))  # a whiteout of overlayfs: the file below is not seen
    # These would be found first.
    (usr / "local/bin/docker").symlink_to("/usr/bin/docker")
    (usr / "local/lib/docker/cli-plugins/docker-buildx").symlink_to("/usr/libexec/docker/cli-plugins/docker-buildx")
    groups = [line for line in Path("/etc/group").read_text().splitlines() if not line.startswith("docker:")]
    (work / "group").write_text("\n".join([*groups, f"docker:x:995:{USER}", f"{USER}:x:{UID}:", ""]))
    users = Path("/etc/passwd").read_text()
    (work / "passwd").write_text(f"{users}{USER}:x:{UID}:{UID}::{HOME}:/bin/bash\n")
    home = work / "home"
    inside = home / WORKSPACE.relative_to(HOME)
    run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(inside)])
    temp = home / TEMP.relative_to(HOME)
    (temp / "_github_workflow").mkdir(parents=True)
    (temp / "_github_workflow/event.json").write_text("{}")
    for name in ("env", "output", "path", "state", "step_summary"):
        (temp / name).touch()
    run(["chown", "-R", f"{UID}:{UID}", str(home)])
    (work / "tmp").mkdir()
    (work / "tmp").chmod(0o1777)
    (work / "docker").mkdir()
    run(["docker", "save", "--output", str(work / "images.tar"), *base_image.STAND_INS], timeout=300)


@contextlib.contextmanager
def network() -> Iterator[str]:
    """Make a network namespace that reaches what this machine reaches; yield its name."""
    name = f"mdhost{secrets.token_hex(3)}"
    outer, inner = f"{name}o", f"{name}i"
    with contextlib.ExitStack() as stack:
        run(["ip", "netns", "add", name])
        stack.callback(run, ["ip", "netns", "delete", name])
        run(["ip", "link", "add", outer, "mtu", "1400", "type", "veth", "peer", "name", inner, "netns", name])
        subnet = free_subnet(run(["ip", "-4", "route"]))
        run(["ip", "address", "add", f"{subnet}.1/24", "dev", outer])
        run(["ip", "link", "set", outer, "up"])
        for words in (
            ["ip", "address", "add", f"{subnet}.2/24", "dev", inner],
            ["ip", "link", "set", inner, "mtu", "1400", "up"],
            ["ip", "link", "set", "lo", "up"],
            ["ip", "route", "add", "default", "via", f"{subnet}.1"],
        ):
            run(["nsenter", f"--net=/run/netns/{name}", *words])
        for table, chain, *rule in (
            ["nat", "POSTROUTING", "--source", f"{subnet}.0/24", "!", "--out-interface", outer, "--jump", "MASQUERADE"],
            ["filter", "FORWARD", "--in-interface", outer, "--jump", "ACCEPT"],
            ["filter", "FORWARD", "--out-interface", outer, "--jump", "ACCEPT"],
        ):
            run(["iptables", "--wait", "--table", table, "--insert", chain, *rule])
            stack.callback(run, ["iptables", "--wait", "--table", table, "--delete", chain, *rule])
        yield name


def outside(command: Sequence[str]) -> int:
    """Make the runner, run the command in it, remove the runner; return the command's exit code."""
    install()
    head = run(["git", "-C", str(ROOT), "rev-parse", "HEAD"]).strip()
    with tempfile.TemporaryDirectory(prefix="hosted-runner-", dir="/var/tmp") as folder, network() as name:
        work = Path(folder)
        work.chmod(0o755)
        furnish(work)
        (work / "env.json").write_text(json.dumps(environment(dict(os.environ), head)))
        say(f"runner: {USER} ({UID}) with a clone of {head[:12]}: {shlex.join(command)}")
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        enter = ["nsenter", f"--net=/run/netns/{name}", *namespaces]
        return subprocess.run([*enter, sys.executable, __file__, "--inside", folder, *command], check=False).returncode


def inside(work: Path, command: Sequence[str]) -> int:
    """Mount the runner's files in the new namespaces, start its engine, and run the command as its user."""
    layers = f"{work}/usr:{PROGRAMS}/usr:/usr"
    _mount("-t", "overlay", "-o", f"lowerdir={layers}", "overlay", "/usr")
    for name in ("passwd", "group"):
        _mount("--bind", str(work / name), f"/etc/{name}")
    for folder in ("/run", "/home", "/opt/model-dockerize", "/var/lib/model-dockerize"):
        if Path(folder).exists():
            _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    HOME.mkdir()
    _mount("--bind", str(work / "home"), str(HOME))
    _mount("--bind", str(work / "tmp"), "/tmp")
    with _engine(work):
        run(["docker", "load", "--quiet", "--input", str(work / "images.tar")], timeout=300)
        (work / "images.tar").unlink()
        without_rights = ["--inh-caps=-all", "--bounding-set=-all"]
        user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--init-groups", *without_rights]
        variables = json.loads((work / "env.json").read_text())
        return subprocess.run([*user, *command], cwd=WORKSPACE, env=variables, umask=0o022, check=False).returncode


def _mount(*arguments: str) -> None:
    run(["mount", *arguments], timeout=30)


@contextlib.contextmanager
def _engine(work: Path) -> Iterator[None]:
    """Run Docker with the classic image store, as a hosted runner does."""
    settings = {"data-root": str(work / "docker"), "mtu": 1400, "features": {"containerd-snapshotter": False}}
    (work / "daemon.json").write_text(json.dumps(settings))
    log = work / "dockerd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/usr/sbin/dockerd", "--config-file", str(work / "daemon.json"), "--host", f"unix://{SOCKET}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 60
        while not daemon.answers(SOCKET):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = " | ".join(log.read_text(errors="replace").splitlines()[-4:])
                raise MachineError(f"The runner's engine did not start: {tail}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(60)


def main(argv: list[str]) -> int:
    """Return the exit code of the command."""
    if not argv:
        say("usage: python tests/rig/hosted_runner.py COMMAND...")
        return 2
    # Ended from outside, it still removes what it made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return inside(Path(argv[1]), argv[2:]) if argv[0] == "--inside" else outside(argv)
    except MachineError as error:
        say(f"runner: {error}")
        return EXIT_REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
