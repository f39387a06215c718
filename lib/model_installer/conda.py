"""Makes a conda environment by py-rattler, under the base image's Python (3.10 and newer)."""

import argparse
import asyncio
import os
import sys
from typing import Any, List, Sequence

import rattler

PREFIX = "/opt/environment"
_CACHE = "/root/.cache/rattler"
# What conda means by it: repo.anaconda.com has terms of its own for companies.
_DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")


def main(arguments: Sequence[str]) -> int:
    """Install solved specs or a lock; return 1 on failure."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--channel", action="append", default=[])
    parser.add_argument("--lock", default="")
    parser.add_argument("specs", nargs="*")
    given = parser.parse_args(arguments)
    try:
        asyncio.run(_make(given.lock, given.channel, given.specs))
    except Exception as error:  # noqa: BLE001 - rattler's errors share no class; what they say is for the user
        print("model-dockerize: conda: {}".format(error), file=sys.stderr)
        return 1
    return 0


async def _make(lock: str, channels: Sequence[str], specs: Sequence[str]) -> None:
    records = _locked(lock) if lock else await _solved(channels, specs)
    print("model-dockerize: {} packages of conda:".format(len(records)))
    for record in sorted(records, key=lambda record: str(record.name.normalized)):
        print("  {} {} {}".format(record.name.normalized, record.version, record.build))
    await rattler.install(
        records, PREFIX, cache_dir=_CACHE, execute_link_scripts=True, show_progress=False, client=_client()
    )


async def _solved(channels: Sequence[str], specs: Sequence[str]) -> List[Any]:
    named = [one for channel in channels for one in (_DEFAULTS if channel == "defaults" else (channel,))]
    records = await rattler.solve(
        [rattler.Channel(name) for name in named],
        [rattler.MatchSpec(spec) for spec in specs],
        gateway=rattler.Gateway(cache_dir=_CACHE, client=_client()),
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    return list(records)


def _locked(path: str) -> List[Any]:
    here = str(rattler.Subdir.current())
    environment = rattler.LockFile.from_path(path).environment("default")
    for platform in environment.platforms() if environment else ():
        if str(platform.subdir) == here:
            return environment.conda_repodata_records_for_platform(platform) or []
    raise LookupError("{} is not locked for {}: add it to its platforms, and lock again.".format(path, here))


def _client() -> Any:
    return rattler.networking.Client.default_client()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # rattler's threads may still run, which Python's own end does not survive
