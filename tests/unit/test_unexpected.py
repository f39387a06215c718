"""The advice fits how a model did not answer its sample as expected."""

from pathlib import Path

import pytest

from model_dockerize.pipeline import unexpected
from model_dockerize.settings import Given, to_settings

FIRST = "result: not the result of expected.csv: row 2"
LATER = "repeat: not the result of expected.csv: row 2"
PROOF = "its model does not answer the sample: smoke/input.csv: not the result of smoke/expected.csv: row 2"


@pytest.mark.parametrize(
    ("evidence", "advice"),
    [
        (FIRST, "smoke FOLDER --keep"),
        (PROOF, "smoke FOLDER --keep"),
        (LATER, "Set the seed of its random numbers"),
        ("status: the job ended as Error", ""),
    ],
)
def test_the_advice_is_for_what_happened(evidence: str, advice: str) -> None:
    given = unexpected.remedy(["health: ok", evidence], to_settings([{}]))
    assert advice in given
    assert bool(given) == bool(advice)


def test_an_archive_has_no_folder_to_correct() -> None:
    archive = to_settings([{"from-archive": Given("iris.docker.tar.gz", "from-archive", Path())}])
    assert unexpected.remedy([FIRST], archive) == unexpected.remedy([LATER], archive) == ""
