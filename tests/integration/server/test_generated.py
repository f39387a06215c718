"""Generated requests against real servers; tests/chaos/fuzz_api.py sends many more."""

from pathlib import Path

import pytest

from chaos.fuzz_api import MODELS, Fuzzer, Tally, run, served


@pytest.mark.parametrize("model", MODELS)
def test_no_request_finds_a_fault_or_shows_the_inside(tmp_path: Path, model: str) -> None:
    tally = Tally()
    with served(model, tmp_path) as url:
        run([Fuzzer(url, (str(tmp_path),), tally, start=20)], tally, 150)
    assert set(tally.sent) == {"described", "form", "multipart", "result", "path", "json"}
    assert tally.answered[200] > 10
