"""Names the inline policy that an execution role of ours had for the secrets of one model."""

from model_dockerize.aws.names import TAG, legal_name


def policy_name(model: str, region: str) -> str:
    """Of the inline policy that holds what one model's containers are given: all models and regions share the role."""
    return f"{TAG}-{region}-{legal_name(model, 90)}"
