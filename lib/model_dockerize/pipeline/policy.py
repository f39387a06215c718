"""The IAM documents of a configuration, from the folder alone."""

import json
from collections.abc import Callable

from model_dockerize.aws import permissions
from model_dockerize.aws.iam import Where
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import Run
from model_dockerize.pipeline.release import names_of


def show(run: Run, show: Callable[[str], None], after_bootstrap: bool) -> None:
    """Four documents: for a run, for its stacks, for `destroy`, and who may assume the role (whose workflow).

    After `bootstrap`, stacks are made by the role that it made, and whoever runs needs no more than to say so.
    """
    settings, known = run.settings, run.environment
    with run.recorder.stage("program") as stage:
        model = make.inspect(run, stage).program.name
    where = Where(settings.aws.aws_account_id or "ACCOUNT", settings.aws.aws_region or "*")
    names = names_of(settings, model)
    documents = {
        "policy": permissions.run_policy(settings, names, where, after_bootstrap),
        "policy-for-stacks": permissions.stack_policy(settings, where, after_bootstrap),
        "policy-for-destroy": permissions.destroy_policy(names, where),
        "trust": permissions.trust_policy(
            known.get("GITHUB_REPOSITORY", "OWNER/REPO"),
            known.get("GITHUB_REPOSITORY_ID", "REPO-ID"),
            known.get("GITHUB_REPOSITORY_OWNER_ID", "OWNER-ID"),
            where,
        ),
    }
    show(json.dumps(documents, indent=2))
    run.learn(outcome="printed")
