"""Runs a function's handler once, as Lambda does. Imports nothing of ours."""

import importlib
import json
import os
import signal
import sys
import time
import traceback
from typing import Any

_ROOT = "/var/task"
_EVENT = "/var/runtime/event.json"
_ANSWER = "/tmp/answer.json"  # noqa: S108 - of a container of its own


class Context:
    def __init__(self, facts: dict[str, str], deadline: float) -> None:
        self.function_name = facts["function_name"]
        self.function_version = facts["function_version"]
        self.invoked_function_arn = facts["invoked_function_arn"]
        self.memory_limit_in_mb = facts["memory_limit_in_mb"]
        self.aws_request_id = facts["aws_request_id"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = ""
        self.identity = self.client_context = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


def main() -> None:
    with open(_EVENT, encoding="utf-8") as file:  # noqa: PTH123 - any Python of Lambda's
        told = json.load(file)
    os.chdir(_ROOT)
    sys.path.insert(0, _ROOT)
    # Signals that nobody handles do not end a container's first process.
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        # As a shell tells it: the sandbox knows a timeout by its signal.
        sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
    try:
        module, _, name = told["handler"].rpartition(".")
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
        # From here on Lambda counts. The signal ends the process, whatever it is doing.
        signal.setitimer(signal.ITIMER_REAL, told["seconds"])
        answer: Any = {"result": handler(told["event"], Context(told["context"], time.time() + told["seconds"]))}
        text = json.dumps(answer)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the function's answer
        trace = traceback.format_exception(type(error), error, error.__traceback__)
        print("[ERROR] " + "".join(trace), flush=True)  # noqa: T201 - the function's log
        failed = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace}
        text = json.dumps({"error": failed})
    with open(_ANSWER, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)


if __name__ == "__main__":
    main()
