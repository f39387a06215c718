"""Has the model propose a mapping file."""

import json
from pathlib import Path
from typing import Any

from model_dockerize import image, smoke
from model_dockerize.errors import InputError
from model_dockerize.inside import write_text
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import START_TIMEOUT, Run
from model_dockerize.report import StageProgress
from model_dockerize.report.facts import Headline


def write(run: Run, data: Path, mime_type: str, target: Path) -> Outcome:
    """Run stage `mapping`."""
    url = run.settings.smoke.smoke_url
    if url:
        with run.recorder.stage("mapping") as stage:
            _write(smoke.propose_mapping((url,), data, mime_type, START_TIMEOUT), target, stage)
    else:
        engine = image.probe(run.environment)
        prepared = make.prepare(run)
        make.check(run, prepared, engine)
        built = make.build(run, prepared, engine, make.cache(run, prepared, engine, pushes=False))
        with (
            run.recorder.stage("mapping") as stage,
            image.run(engine, built.id, {}, "model-dockerize-mapping") as container,
        ):
            entries = smoke.propose_mapping(container.urls, data, mime_type, START_TIMEOUT, make.ending_of(container))
            _write(entries, target, stage)
    return Outcome.WRITTEN


def _write(entries: list[dict[str, Any]], target: Path, stage: StageProgress) -> None:
    lines = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in entries)
    try:
        write_text(target, f"[\n{lines}\n]\n")
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}.", "Name another with --output.") from error
    missing = [str(entry.get("destination")) for entry in entries if not entry.get("source")]
    stage.found(Headline(f"{target}: {len(entries)} fields, {len(entries) - len(missing)} found in the data"))
    if missing:
        stage.warning(
            f"Not found in the data: {', '.join(missing)}. Give each a source or a defaultValue; the model refuses the "
            "file as long as a field that it needs has neither."
        )
