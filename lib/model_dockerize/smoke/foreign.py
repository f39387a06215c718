"""The smoke test of somebody else's image: only what its specification offers."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from model_dockerize.progress import Progress
from model_dockerize.smoke.client import CheckFailed, ModelClient, NotYet, quote
from model_dockerize.smoke.model import HEALTHY, Expectation, SmokeResult
from model_dockerize.smoke.session import Session, read_sample

_PLACES = ("/swagger", "/swagger/v1/swagger.json", "/swagger.json", "/openapi.json")
_TRIED = 20  # documented GETs that are called
_JOBS = {"status": "GET /data/status/{}", "result": "GET /data/result/{}", "delete": "DELETE /data/delete/{}"}


@dataclass(frozen=True)
class _Offer:
    """A specification's operations, such as "get /data/status/{}", and their base path."""

    place: str
    version: str
    prefix: str
    operations: frozenset[str]
    plain: tuple[str, ...]  # paths of GETs that need nothing

    def has(self, operation: str) -> bool:
        return operation.lower() in self.operations


def check_foreign(
    urls: Sequence[str],
    expectation: Expectation,
    start_timeout: float,
    job_timeout: float,
    progress: Progress,
    alive: Callable[[], str | None] = lambda: None,
) -> SmokeResult:
    """Run the checks that the specification allows; otherwise as `check`."""
    sample, expected = read_sample(expectation.sample_input), read_sample(expectation.sample_expected)
    mapping = (read_sample(expectation.sample_mapping) or b"").decode("utf-8", "replace")
    test = _Foreign(expectation, start_timeout, job_timeout, progress, alive)
    test.run("reachable", lambda: test.reach(urls))
    test.run("page", test.page)
    if test.answers:
        test.run("swagger", test.survey)
    offer = test.offer
    if offer:
        test.run("endpoints", test.endpoints)
        if test.healthy:
            test.run("health", test.health)
        if expectation.license_key and offer.has("POST /api/license"):
            test.run("license", test.license)
        if sample is not None and offer.has("POST /data/add-job"):
            test.run_job(sample, mapping, expected, lambda name: offer.has(_JOBS[name]))
    test.close()
    unproved = _unproved(offer, test.healthy, sample is not None) if test.answers else ()
    for line in unproved:
        progress.warning(f"Not proved: {line}")
    return SmokeResult(test.url, tuple(test.checks), unproved, test.first_result)


class _Foreign(Session):
    offer: _Offer | None = None
    healthy = False  # there is a /health: servers have one that their specification does not name

    @property
    def answers(self) -> bool:
        return all(check.passed for check in self.checks)

    def page(self) -> str:
        def look() -> str:
            answer = self.client.get("/")
            if answer.status_code >= 500:
                raise NotYet(f"/ answered {answer.status_code}: {quote(answer.text)}")
            return f"/ answered {answer.status_code}"

        return self.wait(look, self.start_timeout)

    def survey(self) -> str:
        # A missing specification is no failure, but leaves much unverified.
        for place in self._places():
            spec = _spec(self.client, place)
            if spec:
                self.offer = _read(place, spec)
                if self.offer.prefix:
                    self.use(ModelClient(self.client.base + self.offer.prefix))
                self.healthy = self.offer.has("GET /health") or self.client.get("/health").status_code != 404
                names = ", ".join(sorted(self.offer.operations)[:8])
                return f"{self.offer.version} at {place}, {len(self.offer.operations)} operations: {names}"
        return f"there is no specification at {', '.join(_PLACES)}"

    def _places(self) -> tuple[str, ...]:
        # The usual places, and the one that the page of Swagger UI names.
        page = self.client.get("/swagger")
        named = re.findall(r"[\"']([^\"'<>\s]+\.json)[\"']", page.text) if page.status_code == 200 else []
        here = urlsplit(self.client.base)
        paths = (path.removeprefix(here.path) for path in (_path_at(here.netloc, page.url, name) for name in named))
        return (*_PLACES, *(path for path in paths if path.startswith("/")))

    def endpoints(self) -> str:
        # No GET without required parameters may fail.
        assert self.offer  # noqa: S101  only with one
        paths = self.offer.plain[:_TRIED]
        broken = []
        for path in paths:
            answer = self.client.get(path)
            if answer.status_code >= 500:
                broken.append(f"GET {path} answered {answer.status_code}: {quote(answer.text)}")
        if broken:
            raise CheckFailed("; ".join(broken))
        return f"{len(paths)} documented GETs without parameters answer"

    def health(self) -> str:
        answer = self.client.get("/health")
        if answer.status_code != 200:
            raise CheckFailed(f"/health answered {answer.status_code}: {quote(answer.text)}")
        return HEALTHY if answer.text == HEALTHY else f"200, in words of its own: {quote(answer.text)}"


def _spec(client: ModelClient, place: str) -> dict[str, Any] | None:
    answer = client.get(place)
    try:
        found = json.loads(answer.text) if answer.status_code == 200 else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("paths"), dict) else None


def _read(place: str, spec: dict[str, Any]) -> _Offer:
    # Swagger 2 and OpenAPI 3 name version and base path differently.
    servers = spec.get("servers")
    first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    start = _path_of(str(spec.get("basePath") or first.get("url") or ""))
    operations, plain = set(), []
    for path, entry in spec["paths"].items():
        methods = {str(method).lower(): value for method, value in entry.items()} if isinstance(entry, dict) else {}
        for method in methods.keys() & {"get", "post", "put", "delete", "patch"}:
            operations.add(f"{method} {re.sub(r'{[^}]*}', '{}', str(path))}".lower())
        get = methods.get("get")
        parameters = [*_parameters(methods), *_parameters(get)]
        required = any(isinstance(one, dict) and one.get("required") for one in parameters)
        if "get" in methods and "{" not in path and not required:
            plain.append(str(path))
    version = f"OpenAPI {spec['openapi']}" if "openapi" in spec else f"Swagger {spec.get('swagger', '?')}"
    return _Offer(place, version, start.rstrip("/"), frozenset(operations), tuple(sorted(plain)))


def _parameters(entry: Any) -> list[Any]:
    found = entry.get("parameters") if isinstance(entry, dict) else None
    return found if isinstance(found, list) else []


def _path_at(host: str, page: str, link: str) -> str:
    # Empty where it leads to another server, or nowhere.
    try:
        end = urlsplit(urljoin(page, link))
    except ValueError:
        return ""
    return end.path if end.netloc == host else ""


def _path_of(url: str) -> str:
    # Empty where it names another server.
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return path if path.startswith("/") else ""


def _unproved(offer: _Offer | None, healthy: bool, sampled: bool) -> tuple[str, ...]:
    if not offer:
        return ("what the image does: it answers, but has no specification that says what could be asked.",)
    lines = []
    if not healthy:
        lines.append("its health: there is no GET /health.")
    if not offer.has("POST /data/add-job"):
        lines.append("the model: there is no POST /data/add-job, so no data was sent to it.")
    elif sampled:
        missing = [operation for operation in _JOBS.values() if not offer.has(operation)]
        lines += [f"the job: there is no {operation}." for operation in missing]
    return tuple(lines)
