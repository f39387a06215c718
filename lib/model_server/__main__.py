"""The program `model-server`; imports late, as `health` runs every few seconds."""

import os
import sys
from collections.abc import Sequence

from model_server import preload

_COMMANDS = ("serve", "run", "prepare", "manifest", "selftest", "health", "probe", "runner", "convert")
_USAGE = """usage: model-server [serve]       serve the model on port 80
       model-server run IN OUT     do one job and end; a path, s3://BUCKET/KEY, or - for standard input and output;
                                   in an array job of AWS Batch, IN may be a list
       model-server prepare PROGRAM
                                   in the program's folder: find the program, compile, let all read (at build time)
       model-server manifest JSON  write the image's manifest (at build time)
       model-server selftest JSON  have the model pass its tests, and see how it may be run (at build time)
       model-server health         ask the running server whether it is well (for HEALTHCHECK)
       model-server health --ready
                                   the same, and whether its model has proved itself: waits for that up to 55 s
       model-server probe URL      ask another task of the model whether it is right (what about: MODEL_PROBE)
       model-server --version
       model-server PROGRAM ...    be that program of the image, e.g. python script.py FILE, or bash
"""


def main(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one a command
    """Run a command and return its exit code."""
    _restore_environment()
    match arguments:
        case [] | ["serve"]:  # SageMaker starts a container with this word
            return _serve()
        case ["run", source, target]:
            return _run(source, target)
        case ["prepare", program]:
            return _prepare(program)
        case ["manifest", text]:
            return _manifest(text)
        case ["selftest", text]:
            return _selftest(text)
        case ["health"] | ["health", "--ready"]:
            return _health(len(arguments) > 1)
        case ["probe", url] if url.startswith(("http://", "https://")):
            return _probe(url)
        case ["runner", _, _]:
            return _runner(arguments)
        case ["convert"]:
            return _convert()
        case ["--version"]:
            from model_server import __version__  # noqa: PLC0415

            sys.stdout.write(f"model-server {__version__}\n")
            return 0
        case [program, *_] if not program.startswith("-") and program not in _COMMANDS:
            return _be(program, arguments)
        case _:
            sys.stderr.write(_USAGE)
            return 2


def _serve() -> int:
    from model_server import settings  # noqa: PLC0415
    from model_server.errors import StartError  # noqa: PLC0415
    from model_server.serve import serve  # noqa: PLC0415

    try:
        return serve(settings.current())
    except StartError as error:
        return _failed(str(error))


def _run(source: str, target: str) -> int:
    from model_server import array, settings, single_job  # noqa: PLC0415
    from model_server.errors import StartError  # noqa: PLC0415

    try:
        chosen, place = array.pick(source, target, os.environ)
        if chosen != source:
            sys.stderr.write(f"model-server: the input is {chosen}\n")
        return single_job.run(settings.current(), chosen, place)
    except StartError as error:
        return _failed(str(error))


def _prepare(program: str) -> int:
    from pathlib import Path  # noqa: PLC0415

    from model_server import manifest, prepare, settings  # noqa: PLC0415
    from model_server.errors import StartError  # noqa: PLC0415

    try:
        found = manifest.found_file(settings.current().manifest)
        prepare.prepare(program, Path.cwd(), prepare.TEMPORARY, found, prepare.ETC)
    except StartError as error:
        return _failed(str(error))
    return 0


def _manifest(text: str) -> int:
    from model_server import manifest, settings, volume  # noqa: PLC0415
    from model_server.errors import StartError  # noqa: PLC0415

    try:
        current = settings.current()
        model = manifest.parse(text, os.environ.get("MODEL_BUILD_ID", "").strip() or "local")
        manifest.write(manifest.with_found(model, current.manifest), current.manifest)
        volume.prepare(current.data_directory or settings.DEFAULT_DATA_DIRECTORY)
    except StartError as error:
        return _failed(str(error))
    return 0


def _selftest(text: str) -> int:
    from model_server import selftest, settings  # noqa: PLC0415
    from model_server.errors import StartError  # noqa: PLC0415

    try:
        tests = selftest.parse(text)
        failures = selftest.run(settings.current(), tests)
    except StartError as error:
        return _failed(str(error))
    if failures:
        return _failed(f"{len(failures)} of {len(tests)} tests of the model failed:\n  " + "\n  ".join(failures))
    if tests:
        sys.stdout.write(f"model-server: the model passed its {len(tests)} tests\n")
    return 0


def _health(ready: bool) -> int:
    from model_server import health  # noqa: PLC0415

    port = os.environ.get("MODEL_SERVER_PORT", "").strip() or "80"
    host = os.environ.get("MODEL_SERVER_HOST", "").strip()
    probe = health.probe_ready if ready else health.probe
    problem = probe(int(port), host) if port.isdecimal() else "MODEL_SERVER_PORT is not a number"
    return 0 if problem is None else _failed(problem)


def _probe(url: str) -> int:
    from model_server.probe import Question, probe  # noqa: PLC0415

    try:
        question = Question.read(os.environ.get("MODEL_PROBE", ""))
    except ValueError as error:
        return _failed(f"MODEL_PROBE cannot be read: {error}")
    return 0 if probe(url, question, sys.stdout.write) else 1


def _runner(arguments: Sequence[str]) -> int:
    """Run the runner in an image without Python."""
    import runpy  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    sys.argv = list(arguments)
    runpy.run_path(str(Path(sys.executable).parent / "model_runner" / "runner.py"), run_name="__main__")
    return 0


def _convert() -> int:
    from model_server import converters  # noqa: PLC0415

    return converters.main(sys.stdin.buffer, sys.stdout)


def _be(program: str, arguments: Sequence[str]) -> int:
    try:
        os.execvp(program, list(arguments))  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"model-server: {program} cannot be run: {error.strerror}\n{_USAGE}")
        return 127 if isinstance(error, FileNotFoundError) else 126


def _restore_environment() -> None:
    """Undo the image's and boot loader's changes, for the program."""
    preload.release(os.environ)
    if not getattr(sys, "frozen", False):
        return
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = original


def _failed(text: str) -> int:
    sys.stderr.write(f"model-server: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
