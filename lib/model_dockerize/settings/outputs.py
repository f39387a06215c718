"""The outputs of the Action."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    """An output of the Action."""

    name: str
    help: str


OUTPUTS: tuple[Output, ...] = (
    Output("build-id", "Content identity of the image: equal inputs, equal id."),
    Output("image", "Local name of the image, NAME:VERSION."),
    Output("image-uri", "The image in ECR, pinned: REPOSITORY@sha256:DIGEST."),
    Output("digest", "Digest of the pushed manifest."),
    Output("archive", "Path of the image archive, if one was written."),
    Output("job-definition-arn", "ARN of the Batch job definition, with its revision."),
    Output("job-definition-revision", "Revision of the Batch job definition."),
    Output("task-definition-arn", "ARN of the task definition that the service runs."),
    Output("service-arn", "ARN of the ECS service."),
    Output("outcome", "deployed, unchanged, built, pushed, or how it failed."),
    Output("url", "Where the deployed model answers."),
    Output(
        "smoke",
        "passed, failed, skipped, no-sample (the server answered, but there was no data to run the model on), or "
        "unproved (smoke-test left the service out, or somebody else's image lacks what would prove it).",
    ),
    Output("report", "Path of the JSON report."),
)
