"""The smoke test as a task inside the model's network (`model-server probe`)."""

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from model_compare import difference, kind_of
from model_dockerize.smoke.model import Check, Expectation, SmokeResult

_MARK = "probe "


def question(expectation: Expectation, start_timeout: float, job_timeout: float, most: int) -> tuple[str, str]:
    """Return MODEL_PROBE's value (at most `most` characters), and why no job is tried."""
    asked: dict[str, Any] = {
        "build_id": expectation.build_id,
        "start_timeout": start_timeout,
        "job_timeout": job_timeout,
    }
    if expectation.sample_input is None:
        return _packed(asked), "there is no sample input"
    if expectation.license_key:
        return _packed(asked), "the model wants a license key, and a task's variables can be read by others"
    mapping = expectation.sample_mapping
    full = {
        **asked,
        "name": expectation.sample_input.name,
        "mime_type": expectation.input_type,
        "mapping": mapping.read_text(encoding="utf-8") if mapping else "",
        "sample": base64.b64encode(expectation.sample_input.read_bytes()).decode(),
    }
    text = _packed(full)
    if len(text) > most:
        return _packed(asked), f"the sample takes {len(text)} characters packed, and a task can be handed {most}"
    return text, ""


def is_last(line: str) -> bool:
    return "end" in (_read(line) or {})


def answer(url: str, lines: Iterable[str], expectation: Expectation) -> SmokeResult:
    facts = [found for line in lines if (found := _read(line))]
    checks = [Check(f["check"], f["passed"], f["seconds"], f["detail"]) for f in facts if "check" in f]
    pieces: dict[int, str] = {}
    for fact in facts:
        if "result" in fact:
            pieces[fact["job"]] = pieces.get(fact["job"], "") + fact["result"]
    path = expectation.sample_expected
    if path and any(check.name == "result" and check.passed for check in checks):
        checks = [_compared(check, tuple(pieces.values()), path.read_bytes(), path.name) for check in checks]
    if not any("end" in f for f in facts):
        checks.append(Check("probe", False, 0.0, "it ended before it had looked at everything"))
    first = next(iter(pieces.values()), None)
    return SmokeResult(url, tuple(checks), result=None if first is None else base64.b64decode(first))


def _compared(check: Check, told: Sequence[str], expected: bytes, name: str) -> Check:
    # `told` holds the first job's result, and others that differ.
    if check.name not in {"result", "repeat"} or not check.passed:
        return check
    if not told:
        return Check(check.name, True, check.seconds, f"{check.detail} (too large to be told: not compared)")
    mine = told[:1] if check.name == "result" else told[1:]
    found = next(filter(None, (difference(expected, base64.b64decode(one), kind_of(name)) for one in mine)), "")
    detail = f"not the result of {name}: {found}" if found else f"{check.detail}, as {name}"
    return Check(check.name, not found, check.seconds, detail)


def _packed(asked: dict[str, Any]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(asked).encode(), 9)).decode()


def _read(line: str) -> dict[str, Any] | None:
    if not line.startswith(_MARK):
        return None
    try:
        found = json.loads(line.removeprefix(_MARK))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
