"""docs/exit-codes.md, made from errors and outcomes."""

from model_dockerize.errors import ModelDockerizeError
from model_dockerize.outcome import Outcome

_PAGE = """\
# Exit codes and outcomes

<!-- Made from lib/model_dockerize/errors.py and outcome.py by scripts/generate: change them there. -->

Every kind of failure has its own exit code, and it never changes. The last lines on the screen say what happened and
what to do next; the report (`--report FILE`) holds the same under `error`.

| code | kind | what it means |
|---|---|---|
| 0 | | everything that was asked for is done and tested |
{kinds}
| 130, 143 | cancelled | interrupted (Ctrl-C, SIGTERM); run the same command again to finish |

## Outcomes

| outcome | exit code | |
|---|---|---|
{outcomes}
"""


def exit_codes_md() -> str:
    kinds: list[type[ModelDockerizeError]] = [ModelDockerizeError, *ModelDockerizeError.__subclasses__()]
    kinds.sort(key=lambda one: one.exit_code)
    return _PAGE.format(
        kinds="\n".join(f"| {one.exit_code} | {one.kind} | {one.meaning} |" for one in kinds),
        outcomes="\n".join(f"| `{one}` | {one.codes} | {one.meaning} |" for one in Outcome),
    )
