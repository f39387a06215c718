"""docs/limits.md says what model_server/bounds.py does."""

import re
from pathlib import Path

import pytest

from model_server import bounds as b

ROWS = [
    [cell.strip() for cell in line.split(" | ")]
    for line in (Path(__file__).parents[2] / "docs/limits.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
]


def size(number: int) -> str:
    return f"{number // b.MIB} MiB" if number >= b.MIB else f"{number // b.KIB} KiB"


@pytest.mark.parametrize(
    ("limit", "values"),
    [
        ("a field of a form", (size(b.FIELD_BYTES), size(b.MAPPING_BYTES))),
        ("all of a form but", (size(b.FORM_BYTES), b.PARTS, b.PART_HEADERS, size(b.PART_HEADER_BYTES))),
        ("data that is checked", (size(b.CHECKED_BYTES),)),
        ("a record:", (f"{b.RECORD_CHARACTERS // b.MIB} Mi characters",)),
        ("values of a record", (b.RECORD_VALUES,)),
        ("columns", (b.COLUMNS,)),
        ("a request of the Open", (size(b.INFERENCE_BYTES), b.RECORD_VALUES, b.INFERENCE_ID_CHARACTERS)),
        ("a result that is answered as tensors", (size(b.INFERENCE_RESULT_BYTES),)),
        ("entries of a mapping", (b.RULES,)),
        ("of a result, what its page", (size(b.SHOWN_BYTES), b.READ_ROWS, b.SHOWN_ROWS, b.SHOWN_COLUMNS)),
        ("of a result, what its page", (size(b.SHOWN_TEXT_BYTES),)),
        ("results that are looked at", (b.VIEWS,)),
        ("the name of a data file", (b.NAME_CHARACTERS,)),
        ("a CSV with quotes", (size(b.COUNTED_QUOTED_BYTES),)),
        ("a path of a mapping", (b.PATH_CHARACTERS, b.PATH_STEPS, b.PATH_NUMBER)),
        ("the first line and the headers", (size(b.HEAD_BYTES), b.HEADERS)),
        ("connections at a time", (b.CONNECTIONS, b.CONNECTIONS + b.OWN_DESCRIPTORS)),
        ("until the head of a request", (b.HEAD_SECONDS, b.LAST_HEAD_SECONDS)),
        ("a body", (size(b.BODY_BYTES), b.BODY_SECONDS)),
        ("an answer that the client", (b.UNREAD_SECONDS,)),
        ("a connection between two", (b.IDLE_SECONDS,)),
        ("[a joined run]", (size(b.BATCH_RESULT_BYTES),)),
        ("an error text", (b.ERROR_CHARACTERS,)),
        ("jobs of a page", (b.LISTED_JOBS,)),
        ("jobs whose times", (b.COUNTED_JOBS,)),
        ("a license key", (size(b.LICENSE_BYTES), size(b.API_KEY_BYTES))),
        ("an `Idempotency-Key`", (b.KEY_CHARACTERS, b.CALLBACK_CHARACTERS)),
        ("`?wait=`", (b.WAIT_SECONDS, b.WAITING)),
        ("a wait of `/invocations`", (b.LONG_WAITING,)),
        ("conversions at a time", (b.CONVERSIONS,)),
        ("data that is converted at once", (size(b.INSTANT_COST),)),
        ("data that the server itself", (size(b.QUICK_BYTES), size(b.QUICK_COST))),
        ("of a [self-proof]", (size(b.PROOF_BYTES),)),
        ("a callback, from", (b.CALL_SECONDS,)),
        ("callbacks at a time", (b.CALLS, b.CALLS_OF_A_RECEIVER)),
        ("jobs whose requests", (b.TRACED_JOBS, b.TRACED_CHARACTERS)),
        ("uploads in memory", (size(b.SPOOLED_BYTES),)),
    ],
)
def test_a_limit_is_the_one_that_users_are_told(limit: str, values: tuple[float | str, ...]) -> None:
    (told,) = [row[1] for row in ROWS if row[0].removeprefix("| ").startswith(limit)]
    for value in values:
        text = value if isinstance(value, str) else f"{value:,g}" if value < 100_000 else f"{value:,}"
        assert re.search(rf"(?<![\d,.]){text}(?![\d.]|,\d)", told), (text, told)
