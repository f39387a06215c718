"""The proof for batches: a model answers its sample's records joined as apart.

A count would miss row numbers, values scaled by neighbors, and sorted results.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from model_compare import Kind, difference
from model_server.bounds import BATCH_RESULT_BYTES
from model_server.jobs.batches import Batches, Rules
from model_server.jobs.worker import Runner
from model_server.manifest import Limits, Manifest
from model_server.pages.formatting import last_line
from model_server.runner_client import RunnerDiedError
from model_server.tabular import mime
from model_server.tabular.joining import Records, cut, join, joinable, take_apart
from model_server.tabular.mime import Form

_MOST_RECORDS = 32
#: Of one run: jobs wait for it.
_SECONDS = 60.0


def batches(runners: Sequence[Runner], model: Manifest, limits: Limits, work: Path) -> Batches:
    folder = work / uuid.uuid4().hex
    folder.mkdir()
    folder.chmod(0o700)
    found = [mime.form(types[0], types) for types in (model.input_types, model.output_types)]
    if found[0] is None or found[1] is None:
        raise AssertionError  # the manifest would have been refused
    rules = Rules(limits.batch_records, limits.batch_wait_ms / 1000, found[0], found[1])
    sample = Path(model.working_directory, model.sample) if model.sample else None
    timeout = min(_SECONDS, limits.timeout_seconds)
    return Batches(runners, folder, rules, partial(objection, sample=sample, rules=rules, timeout=timeout))


async def objection(runner: Runner, sample: Path | None, rules: Rules, timeout: float) -> str | None:
    """Return why jobs must not be joined, or None.

    Args:
        runner: at rest.
        sample: None: there is none.
        timeout: of one run, seconds.
    """
    if sample is None:
        return "the image carries no sample that the program takes as it is"
    try:
        found = _records(sample, rules)
        if isinstance(found, str):
            return found
        return await _Trial(runner, rules, timeout).objection(found)
    except (RunnerDiedError, OSError) as error:
        return str(error)
    except _FailedError as error:
        return f"the program fails with records of its sample: {last_line(str(error))}"


def _records(sample: Path, rules: Rules) -> Records | str:
    if sample.stat().st_size > BATCH_RESULT_BYTES:
        return f"the sample is larger than {BATCH_RESULT_BYTES} bytes"
    found = joinable(sample.read_bytes(), rules.input)
    if found is None:
        return f"the sample is not plainly {rules.input} with records of one kind"
    return found if len(found.records) > 1 else "the sample has no two records"


class _FailedError(Exception):
    """The program failed."""


class _Trial:
    def __init__(self, runner: Runner, rules: Rules, timeout: float) -> None:
        self._runner = runner
        self._rules = rules
        self._timeout = timeout

    async def objection(self, sample: Records) -> str | None:
        records = sample.records[:_MOST_RECORDS]
        # The half moves what is scaled by its neighbors; the whole, twice, is not in order once it is joined.
        some = (records[: len(records) // 2], records[::-1], records)
        parts = [replace(sample, records=each) for each in some]
        apart = [await self._answer(join([part])) for part in parts]
        joined = cut(await self._answer(join(parts)), self._rules.output, [len(part.records) for part in parts])
        if joined is None:
            return "the result of its sample is not one record for each record"
        how: Kind = "json" if self._rules.output is Form.JSON else "csv"
        for alone, together in zip(apart, joined, strict=True):
            found = difference(alone, together, how)
            if found is not None:
                return f"records of its sample are answered otherwise in one run with others: {found}"
        answers = take_apart(apart[1], self._rules.output)
        if answers is None or len(set(answers.records)) == 1:
            return "all records of its sample have the same answer, so it does not show that their order is kept"
        return None

    async def _answer(self, content: bytes) -> bytes:
        output = f"{self._runner.folder}/batch-proof"
        outcome = await self._runner.work("batch-proof", f"{output}-input", output, self._timeout, content)
        if outcome.error is not None or outcome.content is None:
            raise _FailedError(outcome.error or "the result is too large")
        return outcome.content
