"""The IAM documents of a configuration."""

import json
from collections.abc import Callable

from model_dockerize.aws import permissions
from model_dockerize.aws.iam import Where
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import Run
from model_dockerize.pipeline.release import names_of

#: Characters of a managed policy. Source: IAM user guide, "IAM and AWS STS quotas". A role takes 10,240 inline.
_MANAGED = 6144


def show(run: Run, show: Callable[[str], None], after_bootstrap: bool) -> Outcome:
    """Give `show` all policies and the trust policy."""
    settings, known = run.settings, run.environment
    with run.recorder.stage("program") as stage:
        model = make.inspect(run, stage).program.name
        where = Where.of(settings.aws.aws_account_id or "ACCOUNT", settings.aws.aws_region or "*")
        names = names_of(settings, model)
        function = permissions.function_policy(settings, where, after_bootstrap)
        policies = {
            "policy": permissions.run_policy(settings, names, where),
            **({"policy-for-function": function} if function else {}),
            **({"policy-for-files": permissions.files_policy(where)} if settings.batch.job_queue else {}),
            "policy-for-stacks": permissions.stack_policy(settings, where, after_bootstrap),
            "policy-for-destroy": permissions.destroy_policy(names, where),
        }
        unbound = {
            name: statements for name, document in policies.items() if (statements := permissions.unbound(document))
        }
        if unbound:
            listed = "; ".join(f"{name}: {', '.join(statements)}" for name, statements in unbound.items())
            stage.warning(
                f"Whoever holds these documents can become administrator, by roles that nothing bounds ({listed}). Let "
                "an administrator run model-dockerize bootstrap once, then print them with --after-bootstrap; or name "
                "a policy that bounds every role (permissions-boundary)."
            )
        for name, document in policies.items():
            if (size := len(json.dumps(document, separators=(",", ":")))) > _MANAGED:
                stage.warning(
                    f"{name} has {size} characters, of {_MANAGED} in a managed policy: give it to a role inline."
                )
    trust = permissions.trust_policy(
        known.get("GITHUB_REPOSITORY", "OWNER/REPO"),
        known.get("GITHUB_REPOSITORY_ID", "REPO-ID"),
        known.get("GITHUB_REPOSITORY_OWNER_ID", "OWNER-ID"),
        where,
    )
    documents = {**policies, "trust": trust}
    show(json.dumps(documents, indent=2))
    return Outcome.PRINTED
