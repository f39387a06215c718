"""Taking back what the other stages made in AWS."""

from collections.abc import Callable

from model_dockerize import aws
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.settings import Settings


def destroy(run: Run, prepared: Prepared, account: aws.Aws, agreed: Callable[[tuple[str, ...]], bool]) -> None:
    """Stages `look` and `destroy`, with the question between them."""
    model = prepared.program.name
    with run.recorder.stage("look") as stage:
        things = aws.find_ours(account, names_of(run.settings, model))
        lines = tuple(map(str, things))
        if not things:
            stage.unchanged(f"Nothing of {model} is there.")
    # Outside of a stage: a question must not be drawn over.
    if not things or not agreed(lines):
        run.learn(outcome="unchanged")
        return
    with run.recorder.stage("destroy") as stage:
        aws.remove(things, stage)
    run.learn(outcome="destroyed", plan=tuple(f"- {line}" for line in lines))


def names_of(settings: Settings, model: str) -> aws.Names:
    """What the things of the model are called."""
    return aws.Names(
        model=model,
        repository=settings.registry.repository or model,
        job_definition=settings.batch.definition(model),
        service=settings.service.service or model,
        task_definition=settings.service.task_definition or model,
        cluster=settings.service.cluster,
        function=settings.batch.update_function,
    )
