"""Generated requests against real servers; tests/chaos/fuzz_api.py sends many more."""

from pathlib import Path

import pytest

from chaos.fuzz_api import MODELS, Fuzzer, Tally, run, served
from rig import postgres


def sent(folder: Path, model: str, **variables: str) -> None:
    tally = Tally()
    with served(model, folder, **variables) as url:
        run([Fuzzer(url, (str(folder),), tally, start=20)], tally, 150)
    assert set(tally.sent) == {"described", "form", "multipart", "result", "path", "json", "body"}
    assert tally.answered[200] > 10


@pytest.mark.parametrize("model", MODELS)
def test_no_request_finds_a_fault_or_shows_the_inside(tmp_path: Path, model: str) -> None:
    sent(tmp_path, model)


def test_nor_does_one_where_the_queue_is_in_postgresql(tmp_path: Path) -> None:
    with postgres.running() as database:
        sent(tmp_path, "json", MODEL_QUEUE_URL=database.make_database())
