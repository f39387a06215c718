"""The tool and the sandbox share no imports: what both must know alike is held here."""

import os
from dataclasses import asdict, fields
from pathlib import Path

from model_dockerize.sandbox import Sandbox
from model_dockerize.sandbox import record as reader
from model_sandbox import record as writer

RECORD = writer.Record("http://127.0.0.1:9", "us-east-1", "123456789012", 4242, "127.0.0.1:9", "abc", 1, "key", "off")


def test_the_tool_reads_what_the_sandbox_writes(tmp_path: Path) -> None:
    writer.save(tmp_path, RECORD)
    read = reader.load(tmp_path)
    assert read is not None
    assert asdict(read) == asdict(RECORD)
    assert [field.name for field in fields(Sandbox)] == [field.name for field in fields(writer.Record)]
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [(reader.RECORD_NAME, 0o600)]


def test_both_prove_and_recognize_alike() -> None:
    assert reader.CONTAINER_LABEL == writer.CONTAINER_LABEL
    assert reader.health_proof("secret", "nonce") == writer.health_proof("secret", "nonce")
    assert reader.health_proof("secret", "nonce") != writer.health_proof("other", "nonce")
    assert reader.born(os.getpid()) == writer.born() > 0
