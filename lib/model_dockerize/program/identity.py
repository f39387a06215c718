"""The build id: equal for equal content, anywhere."""

import hashlib
import json

from model_dockerize.program.types import Program

_SCHEME = 2  # counted up when an id must change although the content did not


def build_id(program: Program, dockerfile: str, server_version: str) -> str:
    files = sorted((file.path, file.executable, file.sha256, file.link_target) for file in program.files)
    content = json.dumps(
        [_SCHEME, files, program.packages.text, dockerfile, server_version], ensure_ascii=True, separators=(",", ":")
    )
    return hashlib.sha256(content.encode()).hexdigest()[:32]
