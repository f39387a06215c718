"""The ground's templates before judges that are not ours."""

import json

import pytest
from cfnlint.decode.cfn_yaml import loads

from model_dockerize.aws.ground.template import LONGEST, MODEL, SHARED, VOLUME, load
from tests.rig import templates
from tests.rig.templates import REGIONS

EACH = pytest.mark.parametrize("name", (SHARED, MODEL, VOLUME))


@EACH
def test_a_template_passes_all_judges(name: str) -> None:
    template = load(name)
    assert templates.findings(template.body) == []
    assert templates.is_yaml_without_anchors(template.body)
    assert len(template.body.encode()) < LONGEST


@EACH
def test_short_forms_mean_what_cfn_lint_makes_of_them(name: str) -> None:
    body = load(name).body
    assert templates.document(body) == json.loads(json.dumps(loads(body)))


def test_the_judges_find_what_is_wrong() -> None:
    body = load(MODEL).body
    for right, wrong in (
        ("Description: HTTP of the model", "Description: the model's HTTP"),
        ("RetentionInDays: 30", "RetentionInDays: 2"),
        ("HealthyThresholdCount: 2", "HealthyThresholds: 2"),
    ):
        assert right in body
        body = body.replace(right, wrong, 1)
    found = "\n".join(templates.findings(body, REGIONS[:1]))
    for named in ("the model's HTTP", "RetentionInDays", "HealthyThresholds"):
        assert named in found
