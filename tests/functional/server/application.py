"""The application by itself: its queue and volume, no worker, no network; and a client that calls it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from model_server import manifest, volume
from model_server.api.app import create_app
from model_server.api.disk import Space
from model_server.api.services import Services
from model_server.converters import Converters
from model_server.jobs import database
from model_server.jobs.job import Job, JobRequest, JobResult
from model_server.jobs.queue import Queue
from model_server.jobs.said import Said
from model_server.jobs.store import Store
from model_server.metrics import Metrics
from model_server.siblings import alone


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


class Application:
    """Has `services`; `ask` answers a request as the server would."""

    def __init__(self, folder: Path, changes: dict[str, Any] | None = None, **extra: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "name": "iris",
            "version": "1.2",
            "build_id": "b1d",
            "command": ["true", "{input}", "{output}"],
            "working_directory": str(folder),
            "input_types": ["text/csv; header=present"],
            "output_types": ["text/csv; header=present"],
            "limits": {"timeout_seconds": 20, "upload_bytes": 100_000},
            **(changes or {}),
        }
        path = folder / "model.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        model = manifest.read(path)
        claimed = volume.claim(folder / "data", model.name, None)
        queue = Queue(database.open_sqlite(claimed.database, on_network=False), model.name, max_attempts=3)
        uploads = folder / "uploads"
        uploads.mkdir()
        services = Services(
            model,
            Store(claimed, queue),
            uploads,
            draining=lambda: False,
            unproved=lambda: None,
            worker_problem=lambda: None,
            metrics=Metrics(model.name, model.version, model.build_id),
            space=Space(uploads, 0),
            runner_mode=lambda: "",
            said=Said(lambda _: (), alone()),
            converters=Converters(),
        )
        self.root_path = extra.pop("root_path", "")
        self.services = replace(services, **extra)
        self.store = self.services.store
        self.app: ASGIApp = create_app(self.services, self.root_path)

    def close(self) -> None:
        self.store.queue.close()

    def job(self, request: JobRequest | None = None) -> Job:
        """Return a job that is recorded and waits."""
        queue = self.services.store.queue
        return queue.put(f"00000000-0000-0000-0000-{queue.count(None) + 1:012d}", request or JobRequest("text/csv"))

    def ended(self, request: JobRequest | None = None, *, error: str | None = None, content: bytes = b"") -> Job:
        """Return a job that has failed, or is complete with a small result."""
        queue, waiting = self.services.store.queue, self.job(request)
        claimed = queue.claim("tests", 60)
        assert claimed is not None
        assert claimed.id == waiting.id
        queue.end(claimed, JobResult(error, None if error else "r", None if error else content)).result()
        found = queue.get(waiting.id)
        assert found is not None
        return found

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request; a name's `_` is the header's `-`."""
        path, _, query = target.partition("?")
        sent: list[Any] = []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if not waiting:
                await asyncio.Event().wait()  # the client does not go away
            return waiting.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        named = {"host": "iris.example", "content_length": str(len(body)), **headers}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 9),
            "root_path": "",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), text.encode("latin-1")) for name, text in named.items()],
        }
        asyncio.run(self.app(scope, receive, send))
        start, *rest = (message for message in sent if message["type"].startswith("http.response."))
        found = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], found, b"".join(message.get("body", b"") for message in rest))


Make = Callable[..., Application]


def form(**parts: bytes) -> dict[str, Any]:
    """Return body and type of a form, to be given to `ask`; a part called File has a file's name."""
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (name.encode(), b'; filename="x.csv"' if name == "File" else b"", content)
        for name, content in parts.items()
    )
    return {"body": body + b"--b--\r\n", "content_type": "multipart/form-data; boundary=b"}
