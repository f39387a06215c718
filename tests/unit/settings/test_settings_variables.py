"""The container's variables: how pairs are written, and that no secret can stand where everybody reads it."""

from pathlib import Path

import pytest

from model_dockerize.errors import InputError
from model_dockerize.settings import Given, Settings, to_settings
from model_dockerize.settings.own_file import from_file

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/iris/key"
HIDDEN = "hunter2"


def read(**texts: str) -> Settings:
    shared = {"volume": "data"} if "queue_url" in texts else {}  # the one goes with the other
    named = {name.replace("_", "-"): text for name, text in {**shared, **texts}.items()}
    return to_settings([{name: Given(text, f"--{name}", Path()) for name, text in named.items()}])


def test_pairs_are_lines_and_a_value_may_hold_commas_and_equal_signs() -> None:
    service = read(environment="A=1, 2\n\n  B=x=y \nC=", secrets=f"KEY={SECRET}:key::\nTOKEN={PARAMETER}").service
    assert service.environment == (("A", "1, 2"), ("B", "x=y"), ("C", ""))
    assert service.secrets == (("KEY", f"{SECRET}:key::"), ("TOKEN", PARAMETER))
    assert service.secret_arns == (f"{SECRET}:key::", PARAMETER)


@pytest.mark.parametrize(
    "text",
    [
        "environment:\n  A: 1\n  B: true\n  C:\n",
        "environment: [A=1, B=true, C=]",
        "environment: |\n  A=1\n  B=true\n  C=",
    ],
)
def test_the_file_may_say_it_as_a_mapping_a_list_or_lines(tmp_path: Path, text: str) -> None:
    file = tmp_path / "model-dockerize.yml"
    file.write_text(text)
    assert to_settings([from_file(file)]).service.environment == (("A", "1"), ("B", "true"), ("C", ""))


def test_two_lines_in_one_value_are_not_taken_for_two_variables(tmp_path: Path) -> None:
    file = tmp_path / "model-dockerize.yml"
    file.write_text('environment:\n  A: "1\\nB=2"\n')
    with pytest.raises(InputError) as caught:
        to_settings([from_file(file)])
    assert "must be on one line" in caught.value.details[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"environment": f"not a pair {HIDDEN}"}, "line 1 is not NAME=VALUE"),
        ({"environment": f"1A={HIDDEN}"}, "line 1 is not NAME=VALUE"),
        ({"environment": f"A=1\nA={HIDDEN}"}, "A stands there twice"),
        ({"environment": f"DB=postgresql://u:{HIDDEN}@h/db"}, "write DB=ARN under secrets"),
        ({"environment": f"MODEL_QUEUE_URL=postgresql://u:{HIDDEN}@h/db"}, "use queue-url"),
        ({"environment": f"MODEL_BUILD_ID={HIDDEN}"}, "which build it is"),
        ({"secrets": f"AWS_BATCH_X={SECRET}"}, "belong to AWS Batch"),
        ({"secrets": f"KEY={HIDDEN}"}, "KEY is not the ARN"),
        ({"secrets": f"KEY=arn:aws:s3:::{HIDDEN}"}, "KEY is not the ARN"),
        ({"secrets": f"KEY={SECRET}", "environment": "KEY=1"}, "KEY stands in environment too"),
        ({"queue_url": f"postgresql://u:{HIDDEN}@h/db"}, "create-secret"),
        ({"queue_url": f"postgresql://h/db?password={HIDDEN}"}, "create-secret"),
        ({"queue_url": f"mysql://{HIDDEN}/db"}, "neither postgresql://"),
        ({"queue_url": HIDDEN}, "neither postgresql://"),
    ],
)
def test_what_is_refused_and_that_the_value_is_not_repeated(given: dict[str, str], says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(**given)
    (problem,) = caught.value.details
    assert says in problem
    assert HIDDEN not in f"{caught.value} {caught.value.details} {caught.value.remedy} {caught.value.__cause__}"


def test_the_queue_is_a_secret_or_a_url_that_hides_nothing() -> None:
    assert read(queue_url=SECRET).service.secret_arns == (SECRET,)
    assert read(queue_url="postgresql://u@h:5432/db?sslmode=verify-full").service.secret_arns == ()
