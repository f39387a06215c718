"""Converts files of structured data by mapping and schema."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from model_server.tabular import mapping, numbers, records
from model_server.tabular.mapping import Rule
from model_server.tabular.memory import File
from model_server.tabular.mime import Form
from model_server.tabular.paths import Keys
from model_server.tabular.problems import DataError, Problems
from model_server.tabular.schema import Field, Fitter

#: Takes a record and where to complain about it; returns the record that goes on.
Step = Callable[[Any, Callable[[str], None]], Any]


@dataclass(frozen=True)
class Plan:
    """A file's conversion."""

    source: Form
    target: Form
    rules: tuple[Rule, ...] = ()
    #: Of the model: at the target for an input, at the source for a result.
    fields: tuple[Field, ...] = ()
    #: Of an input without a schema: the fields of the model's sample, for mappings.
    names: tuple[str, ...] = ()
    #: Of a result: columns of numbers become numbers, where no schema says their type.
    finds_numbers: bool = False

    @property
    def changes_nothing(self) -> bool:
        return self.source is self.target and not self.rules and not self.fields

    def cost(self, size: int) -> int:
        """Return the cost: each record meets each field and rule."""
        return size * (1 + len(self.fields) + len(self.rules))


def convert_input(source: File, target: File, plan: Plan, limit: int) -> None:
    """Map submitted data, then fit it to the schema; DataError: wrong, or above `limit` bytes."""
    names = _names(plan.fields)
    steps: list[Step] = []
    if plan.rules:
        rules = mapping.by_position(plan.rules, (), names if plan.target is Form.BARE_CSV else ())
        by_name = names or plan.names
        steps.append(lambda record, complain: mapping.apply(record, rules, by_name, complain))
    if plan.fields:
        steps.append(Fitter(plan.fields, as_text=plan.target.is_table))
    only = names if plan.target is Form.BARE_CSV else ()
    _convert(source, target, plan, steps, () if plan.rules else names, only, is_array=True, limit=limit)


def convert_result(source: File, target: File, plan: Plan, limit: int) -> None:
    """Type a result by the schema, then map it, or raise DataError."""
    names = _names(plan.fields)
    steps: list[Step] = []
    if plan.fields:
        typed = Fitter(plan.fields, as_text=plan.target.is_table)
        # A value that does not fit the schema stays: it is the model's result all the same.
        steps.append(lambda record, _: typed(record, _ignore))
    elif plan.finds_numbers and plan.source.is_table and plan.target is Form.JSON:
        table = records.Table(source, plan.source is Form.CSV)
        columns = numbers.columns_of(record for _, record in table.records(Problems()))
        steps.append(lambda record, _: numbers.typed(record, columns))
    if plan.rules:
        rules = mapping.by_position(plan.rules, names if plan.source is Form.BARE_CSV else (), ())
        steps.append(lambda record, complain: mapping.apply(record, rules, (), complain))
    _convert(source, target, plan, steps, names, (), is_array=None, limit=limit)


def check(source: File, form: Form, fields: Sequence[Field]) -> None:
    """Raise DataError if a file does not fit `fields`."""
    plan = Plan(form, Form.JSON, fields=tuple(fields))
    flow = _Flow(source, plan, [Fitter(fields, as_text=False)], _names(plan.fields))
    for _ in flow.records():
        pass


def is_json(source: File) -> bool:
    """Tell whether it is JSON without NaN and Infinity; DataError: not even with them."""
    document = records.Document(source, is_result=True)
    for _ in document.records():
        pass
    return not document.is_mended


def _convert(
    source: File,
    target: File,
    plan: Plan,
    steps: Sequence[Step],
    names: tuple[str, ...],
    only: tuple[str, ...],
    *,
    is_array: bool | None,
    limit: int,
) -> None:
    flow = _Flow(source, plan, steps, names, is_result=is_array is None)
    if plan.target is Form.JSON:
        array = flow.is_array if is_array is None else is_array
        records.write_json((record for _, record in flow.records()), array, target, limit)
        return
    columns = flow.columns()
    if only:
        columns = {name: columns.get(name, 1) for name in only}
    elif plan.target is Form.BARE_CSV and columns and all(map(_is_position, columns)):
        columns = {str(number): columns.get(str(number), 1) for number in range(1, _last(columns) + 1)}
    records.write_csv(flow.records(), columns, plan.target is Form.CSV, target, limit)


class _Flow:
    def __init__(
        self, source: File, plan: Plan, steps: Sequence[Step], names: tuple[str, ...], *, is_result: bool = False
    ) -> None:
        self._steps = steps
        #: Columns that a table must have, also if it has no row that could lack a value.
        self._needed = [
            field.path.name
            for field in plan.fields
            if plan.source is Form.CSV and not plan.rules and not is_result and not field.optional
        ]
        self._table: records.Table | None = None
        self._document: records.Document | None = None
        if plan.source.is_table:
            self._table = records.Table(source, plan.source is Form.CSV, names)
            self.is_array = True
        else:
            self._document = records.Document(source, is_result=is_result)
            self.is_array = self._document.is_array

    def records(self) -> Iterator[tuple[int, Any]]:
        # Problems are raised at the end, or when there are many.
        problems = Problems()
        if self._table is not None:
            source: Iterator[tuple[int, Any]] = self._table.records(problems)
        elif self._document is not None:
            source = self._document.records()
        number = 0
        for number, record in source:
            yield number, self._through(record, partial(_complain, problems, number))
        if number == 0 and self._table is not None:
            blank, keys = self._table.blank(), Keys()
            for name in self._needed:
                if keys.of(blank, name) is None:
                    problems.add(f"the header has no column {name!r}")
        problems.raise_if_any()

    def columns(self) -> dict[str, int]:
        # All rows of a CSV have the same columns, so none is read.
        if self._table is not None:
            return records.columns_of([(1, self._through(self._table.blank(), _ignore))])
        return records.columns_of(self.records())

    def _through(self, record: Any, complain: Callable[[str], None]) -> Any:
        for step in self._steps:
            record = step(record, complain)
        return record


def _names(fields: Sequence[Field]) -> tuple[str, ...]:
    return tuple(field.path.name for field in fields)


def _is_position(name: str) -> bool:
    # `0` and `01` are names: data frames count from 0.
    return name.isascii() and name.isdecimal() and not name.startswith("0")


def _last(columns: dict[str, int]) -> int:
    number = max(int(name[:9]) for name in columns)
    if number > len(columns) + 1000:
        raise DataError(f"column {number} is far behind the others")
    return number


def _complain(problems: Problems, number: int, text: str) -> None:
    problems.add(f"row {number}, {text}")


def _ignore(_: str) -> None:
    return None
