"""An older run never overwrites a newer one, and says which one that is."""

import pytest

from model_dockerize.aws.ecs.deploy_order import RunOrder, check_order
from model_dockerize.errors import SupersededError


@pytest.mark.parametrize(("commit", "newer"), [("", "run 8"), ("c0ffee" * 6, r"run 8 \(c0ffeec0ffee\)")])
def test_an_older_run_names_the_newer_one(commit: str, newer: str) -> None:
    tags = RunOrder(commit, 8, "deploy.yml").tags()
    with pytest.raises(SupersededError, match=f"^Run 7 is older than {newer}, which deployed service iris"):
        check_order("iris", RunOrder("", 7, "deploy.yml"), tags)
