"""An image for arm64, made, proved, pushed, deployed and run as a job on a computer of another processor.

python bench/arm64.py (as root on Debian)

The kernel runs arm64 programs by qemu while this lasts. The images of both processors go into one repository of the
sandbox, and get one name there.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "lib"), str(ROOT / "scripts")]

from tests.rig.command import Cli  # noqa: E402 - the checkout's folders come first
from tests.rig.emulation import arm64, arm64_base  # noqa: E402

from machine import base_image  # noqa: E402
from machine.host import run  # noqa: E402
from model_dockerize import image, sandbox  # noqa: E402

BASE = "model-dockerize-arm64:3.11-slim-bookworm"
NAME = "mdbench-two"


def server() -> float:
    """Compile the model server for arm64 by qemu, where the engine has none of this version; return the seconds."""
    name = image.server_ref(image.server_version(image.find_sources()), "linux/arm64")
    bundle = os.environ.get("SSL_CERT_FILE", "")
    secret = ["--secret", f"id=ca-bundle,src={bundle}"] if bundle else []
    base = ["--build-arg", f"SERVER_BASE={BASE}", "--target", "model-server", "--provenance=false"]
    if base_image.present(name):
        return 0
    started = time.monotonic()
    run(
        ["docker", "buildx", "build", "--load", "--platform", "linux/arm64", *base, *secret, "-t", name, str(ROOT)],
        timeout=3000,
    )
    return time.monotonic() - started


def pushed(cli: Cli, folder: Path, machine: str, *flags: str) -> dict[str, float]:
    """Push the model's image for this processor as tag v1-MACHINE; return stage -> seconds."""
    done = cli.run(
        folder,
        *("--image-name", NAME, "--version", f"v1-{machine}", "--platforms", f"linux/{machine}", *flags),
    )
    if done.code:
        raise SystemExit(done.log + done.verdict)
    print(f"{machine}: {done.report['outcome']}, {done.report['image_uri']}")
    return {stage["name"]: stage["seconds"] for stage in done.report["stages"]}


def index(environment: dict[str, str], registry: str) -> list[str]:
    """Give both images one name in the registry; return the processors that it holds."""
    name = f"{registry}/{NAME}:v1"
    imagetools = ["docker", "buildx", "imagetools"]
    run([*imagetools, "create", "--tag", name, f"{name}-amd64", f"{name}-arm64"], env=environment)
    held = json.loads(run([*imagetools, "inspect", "--raw", name], env=environment))["manifests"]
    return [f"{one['platform']['os']}/{one['platform']['architecture']}" for one in held]


def registry_of(home: Path) -> str:
    """Return the registry in which the sandbox of this home keeps its images."""
    started = sandbox.status(home)
    if started is None:
        raise SystemExit("the sandbox ended")
    return started.registry


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="model-dockerize-arm64-") as text, arm64():
        arm64_base(BASE)
        print(f"model server, compiled or found: {server():.0f} s")
        folder, home = Path(text, "is-prime"), Path(text, "home")
        run(["cp", "-r", str(ROOT / "examples/is-prime"), str(folder)])
        home.mkdir()
        cli = Cli(home)
        try:
            native = pushed(cli, folder, "amd64", "--deploy-service", "false")
            emulated = pushed(cli, folder, "arm64", "--base-image", BASE)
            print("| stage | native, s | emulated, s |\n|---|---|---|")
            for stage, seconds in emulated.items():
                print(f"| {stage} | {native.get(stage, float('nan')):.1f} | {seconds:.1f} |")
            flags = ("--sandbox", "--image-name", NAME, "--platforms", "linux/arm64", "--base-image", BASE)
            job = cli("submit", folder, *flags, "--input", "/program/smoke/input.txt", "--output", "-")
            print(f"job: exit code {job.returncode}")
            docker = {**cli.environment, "DOCKER_CONFIG": str(Path(text, "docker"))}
            run([sys.executable, "-m", "model_dockerize", "login", "--sandbox"], env=docker)
            print("index:", *index(docker, registry_of(home)))
        finally:
            cli("sandbox", "stop")
            subprocess.run(["docker", "rmi", "--force", *cli.images], capture_output=True, check=False)


if __name__ == "__main__":
    main()
