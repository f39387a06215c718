"""The sandbox's CloudFormation describes resources as AWS's schemas do, which cfn-lint ships."""

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from model_sandbox.cloudformation.resource_types import RESOURCE_TYPES


@pytest.mark.parametrize("name", RESOURCE_TYPES)
def test_what_a_resource_says_of_itself_is_what_awss_schema_says(name: str) -> None:
    kind = RESOURCE_TYPES[name]
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", name).schema
    create_only = {path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", [])}
    assert set(kind.properties) <= set(schema["properties"])
    assert set(kind.replacing) == create_only & set(kind.properties)
    assert set(kind.required) == set(schema.get("required", []))
    tagging = schema.get("tagging") or {"taggable": False}
    tag_property = tagging["tagProperty"].removeprefix("/properties/") if tagging["taggable"] else ""
    assert kind.tags == tag_property
