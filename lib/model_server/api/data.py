"""Conversion of data and results by form and mapping."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from tempfile import NamedTemporaryFile

from model_server import bounds
from model_server.api import accept, disk
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload
from model_server.converters import Converters
from model_server.jobs.job import Job, JobRequest
from model_server.jobs.store import SMALL_BYTES
from model_server.manifest import Manifest
from model_server.tabular import convert, detect, mapping, mime
from model_server.tabular.convert import Plan
from model_server.tabular.memory import MemoryFile
from model_server.tabular.problems import NOT_TAKEN, DataError, TooLargeError


def understand(form: Upload, manifest: Manifest, problems: list[str]) -> tuple[JobRequest, Plan | None]:
    """Read the form's request, and its conversion; None: the data goes to the model as it is.

    Every problem is added to `problems`.
    """
    supported = mime.convertible(manifest.input_types)
    chosen = mime.choose(form.text("MimeType"), form.file_type, supported)
    mappings, output_mappings = form.text("Mappings") or None, form.text("OutputMappings") or None
    plan = None
    if chosen is None:
        problems.append(f"this MimeType is not supported; the model takes: {', '.join(supported)}")
    else:
        plan = _plan(chosen, mappings, manifest, problems)
    if output_mappings is not None:
        try:
            _result_rules(output_mappings, manifest)
        except DataError as error:
            problems.append(f"OutputMappings: {error}")
    chosen = chosen or supported[0]
    sent = mime.form(chosen, manifest.input_types)
    rows = form.lines.rows(has_header=sent is mime.Form.CSV) if sent is not None and sent.is_table else None
    callback = form.text("CallbackUrl") or None
    job_request = JobRequest(
        chosen, mappings, output_mappings, callback, name=form.name or None, size=form.size, rows=rows
    )
    return job_request, plan


def to_model(file: Path, plan: Plan, limit: int, room: int, converters: Converters) -> Path:
    """Make the model's input beside a received file; the caller owns it.

    Args:
        limit: bytes of the new file.
        room: bytes on the volume.
    """
    try:
        with new_file(file.parent) as target:
            _convert(convert.convert_input, file, target, plan, min(limit, room), converters)
        return target
    except TooLargeError as error:
        raise disk.no_room() if room < limit else _not_taken(error) from error
    except DataError as error:
        raise _not_taken(error) from error


def small_to_model(content: bytes, plan: Plan) -> bytes:
    """Make the model's input in memory; TooLargeError: it is no longer small."""
    target = MemoryFile()
    try:
        convert.convert_input(MemoryFile(content), target, plan, SMALL_BYTES)
    except TooLargeError:
        raise
    except DataError as error:
        raise _not_taken(error) from error
    return target.content


def prepare(job: Job, sent: Path, target: Path, manifest: Manifest, converters: Converters) -> None:
    """Make the model's input of data too large to check while its client waited, or raise DataError."""
    problems: list[str] = []
    plan = _plan(job.mime_type, job.mappings, manifest, problems)
    if problems or plan is None:  # it was another image that took the job
        raise DataError(*problems or ("this image takes other data than the one that took the job",))
    _convert(convert.convert_input, sent, target, plan, manifest.limits.upload_bytes, converters)


def of_sample(sample: Path, target: Path, mapping: Path | None, manifest: Manifest, converters: Converters) -> None:
    """Make the model's input of a sample, or raise DataError."""
    problems: list[str] = []
    text = None if mapping is None else mapping.read_text(encoding="utf-8")
    plan = _plan(manifest.input_types[0], text, manifest, problems)
    if problems:
        raise DataError(*problems)
    if plan is None:
        copyfile(sample, target)
    else:
        _convert(convert.convert_input, sample, target, plan, manifest.limits.upload_bytes, converters)


def _not_taken(error: DataError) -> ApiError:
    return ApiError(400, f"{NOT_TAKEN}: {error}")


def of_model(
    job: Job, file: Path, wish: accept.Wish, manifest: Manifest, folder: Path, converters: Converters
) -> Path | None:
    """Convert a result into a new file that the caller owns, or raise ApiError 400; None: `file` is right."""
    if wish.form is None and job.output_mappings is None:
        return None
    try:
        source = _form_of_result(file, manifest, converters)
        target = wish.form or source
        rules = () if job.output_mappings is None else _result_rules(job.output_mappings, manifest)
        if source is target and not rules:
            if source is not mime.Form.JSON or converters.do(convert.is_json, file):
                return None
            plan = Plan(source, target)
        else:
            plan = Plan(source, target, rules, manifest.output_schema, finds_numbers=not wish.as_text)
        with new_file(folder) as made:
            _convert(convert.convert_result, file, made, plan, manifest.limits.upload_bytes, converters)
        return made
    except DataError as error:
        raise ApiError(400, f"the result cannot be had in this form: {error}") from error


def form_of_result(file: Path, manifest: Manifest, converters: Converters) -> mime.Form | None:
    """Return a result's form, as declared, else by its bytes; None: unstructured."""
    declared = manifest.output_types[0]
    if not mime.says_nothing(declared):
        return mime.form(declared)
    found = converters.do(detect.form_of, file)
    return None if found is None else mime.Form(found)


def _form_of_result(file: Path, manifest: Manifest, converters: Converters) -> mime.Form:
    found = form_of_result(file, manifest, converters)
    if found is None and mime.says_nothing(manifest.output_types[0]):
        raise DataError("it is neither JSON nor CSV")
    return found or mime.Form.JSON  # a text may be JSON


def _plan(chosen: str, mappings: str | None, manifest: Manifest, problems: list[str]) -> Plan | None:
    source = mime.form(chosen, manifest.input_types)
    if source is None:
        if mappings is not None:
            problems.append(f"Mappings are for structured data, CSV or JSON; this is {chosen}")
        return None
    known = [form for form in map(mime.form, manifest.input_types) if form is not None]
    target = source if source in known or not known else known[0]
    fields = manifest.input_schema
    rules: tuple[mapping.Rule, ...] = ()
    if mappings is not None:
        try:
            rules = mapping.parse(
                mappings, source_is_table=source.is_table, destination_is_table=target.is_table, fields=fields
            )
        except DataError as error:
            problems.append(f"Mappings: {error}")
    plan = Plan(source, target, rules, fields, manifest.sample_names)
    return None if plan.changes_nothing else plan


def _result_rules(text: str, manifest: Manifest) -> tuple[mapping.Rule, ...]:
    form = mime.form(manifest.output_types[0])
    if form is None:
        raise DataError(f"a mapping is for structured data, CSV or JSON; this model gives {manifest.output_types[0]}")
    return mapping.parse(text, source_is_table=form.is_table, destination_is_table=form.is_table)


_Conversion = Callable[[Path, Path, Plan, int], None]


def _convert(function: _Conversion, source: Path, target: Path, plan: Plan, limit: int, converters: Converters) -> None:
    do = converters.do if plan.cost(source.stat().st_size) <= bounds.QUICK_COST else converters.do_apart
    do(function, source, target, plan, limit)


@contextmanager
def new_file(folder: Path) -> Iterator[Path]:
    """Yield a new file, which is removed only after an error."""
    with NamedTemporaryFile(dir=folder, delete=False) as file:
        path = Path(file.name)
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise
