"""Remove a folder into which containers wrote as their own users: `python -P erase.py FOLDER`.

It imports nothing of this package: the tool runs it when the sandbox is gone.
"""

import contextlib
import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

#: What `rm` is made of, wherever a distribution keeps it. In the container, too: its loader looks in no other place.
_HOST_PROGRAMS = ("/bin", "/lib", "/lib64", "/usr")


def erase(folder: Path) -> None:
    """Remove a folder, whoever owns what is in it; follow no link."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        from docker.errors import DockerException  # noqa: PLC0415 - rare, and `status` must answer in milliseconds

        with contextlib.suppress(DockerException, OSError):
            erase_by_engine(folder)
        if folder.exists():
            raise


def erase_by_engine(folder: Path) -> None:
    """Remove a folder as root of a container without network."""
    import docker  # noqa: PLC0415 - see erase
    from docker.types import Mount  # noqa: PLC0415

    place = "/erase"
    programs = [Mount(path, path, type="bind", read_only=True) for path in _HOST_PROGRAMS if Path(path).exists()]
    with contextlib.closing(docker.from_env(timeout=60)) as client:
        image = json.loads(client.api.import_image_from_data(_nothing()).splitlines()[-1])["status"]
        try:
            client.containers.run(
                image,
                ["rm", "-rf", "--", f"{place}/{folder.name}"],
                environment={"PATH": "/usr/bin:/bin"},
                mounts=[*programs, Mount(place, str(folder.parent.resolve()), type="bind")],
                user="0:0",
                cap_drop=["ALL"],
                cap_add=["DAC_OVERRIDE", "FOWNER"],
                network_mode="none",
                read_only=True,
                security_opt=["no-new-privileges"],
                remove=True,
            )
        finally:
            client.api.remove_image(image)


def _nothing() -> bytes:
    # Nothing but the folders that mounts need.
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("erase", *(path.lstrip("/") for path in _HOST_PROGRAMS)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
    return content.getvalue()


if __name__ == "__main__":
    try:
        erase(Path(sys.argv[1]))
    except PermissionError as error:
        sys.exit(f"{error.filename} is not yours to remove, and Docker Engine could not remove it either.")
