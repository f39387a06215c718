"""Dockerfile steps for server, manifest, labels and entry point."""

import dataclasses
import json
import shlex
from typing import Any

from model_dockerize.program.dockerfile.syntax import FOLDER, PYTHON, quote, run
from model_dockerize.program.types import Program

_TIMEOUT_SECONDS = 3600
_UPLOAD_BYTES = 2 * 1024**3
_SERVER = "/opt/model-server"


def copy_server(server_image: str) -> str:
    # After steps that a new server must not rerun, before files that change more often.
    return "\n".join(
        (
            "# A new server runs no step above again. With these slashes the layer is the same in every build.",
            f"COPY --from={server_image} /opt/ /opt/",
        )
    )


def manifest_steps(program: Program) -> str:
    manifest = json.dumps(
        {
            "name": program.name,
            "version": program.version,
            "command": list(program.command),
            "working_directory": FOLDER,
            "input_types": list(program.input_types),
            "output_types": list(program.output_types),
            "limits": {"timeout_seconds": _TIMEOUT_SECONDS, "upload_bytes": _UPLOAD_BYTES, **_batches(program)},
            **_declarations(program),
        }
    )
    tests = json.dumps([dataclasses.asdict(test) for test in program.tests])
    may_be_warm = program.image_sample and program.runner_mode == "auto" and PYTHON.fullmatch(program.command[0])
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
    return run(shlex.join(words)) if needs_shell else f"RUN {json.dumps(words, ensure_ascii=False)}"


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


def metadata(program: Program, server_image: str) -> str:
    labels = (
        ("org.opencontainers.image.title", quote(program.name)),
        ("org.opencontainers.image.version", quote(program.version)),
        ("org.opencontainers.image.description", quote(f"Model {program.name} behind the container API")),
        ("org.opencontainers.image.base.name", quote(program.base_image)),
        ("io.model-dockerize.build-id", '"$MODEL_BUILD_ID"'),
        ("io.model-dockerize.server", quote(server_image)),
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
