"""AWS operations: found in HTTP requests, in botocore's models, and in our own code's text."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel

_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")
#: Of our own: clients change the models that they share.
_LOADER = Loader()
#: Properties of our connection whose service has another name.
_SERVICES = {"functions": "lambda", "scaling": "application-autoscaling"}
#: How services sign where that is not their client's name.
_NAMES = {"elasticloadbalancing": "elbv2", "elasticfilesystem": "efs"}


def operation(method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """Return (service, Operation) of a request for the path `target`. Header names in any letter case."""
    lower = {name.lower(): value for name, value in headers.items()}
    signed = _CREDENTIAL.search(lower.get("authorization", ""))
    signer = signed.group(1) if signed else "sts"  # only that answers strangers
    service = _NAMES.get(signer, signer)
    named = lower.get("x-amz-target", "").rpartition(".")[2]
    if named:
        return service, named
    if lower.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return service, parse_qs(body.decode())["Action"][0]
    path, query = urlsplit(target).path, urlsplit(target).query
    for verb, pattern, wanted, name in _routes(service):
        if verb == method and pattern.fullmatch(path) and wanted == _flag(query):
            return service, name
    raise LookupError(f"{service}: no operation is {method} {target}")


def _flag(query: str) -> str:
    """Return the word by which S3 tells its operations apart (?notification); others have none."""
    return query if re.fullmatch(r"[a-z-]+", query) else ""


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str, str]]:
    model = _model(service)
    found = []
    for name in model.operation_names:
        if model.operation_model(name).deprecated:
            continue
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path))
        found.append((http["method"], re.compile(pattern + "/?"), _flag(query), name))
    # The longest says most: /functions/{name}/code before /functions/{name}.
    return sorted(found, key=lambda route: len(route[1].pattern), reverse=True)


def in_the_code(folder: Path) -> set[str]:
    """Return every `service:Operation` that the code of `folder` calls, as far as its text shows."""
    found = set()
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        words = set(re.findall(r"[.\"]([a-z][a-z0-9_]+)\b", text))
        spoken = {_SERVICES.get(word, word) for word in words} & _available()
        if "client: Any" in text:
            spoken |= {name for beside in path.parent.glob("*.py") for name in _clients(beside)}
        for service in spoken:
            methods = _methods(service)
            # Every service has those: there they count only where they are called outright.
            vague = {method for method in methods if "tag" in method} - set(re.findall(rf"\.{service}\.(\w+)\(", text))
            found |= {f"{service}:{methods[method]}" for method in methods.keys() & words - vague}
    return found


@cache
def _methods(service: str) -> Mapping[str, str]:
    """Map a client's methods to the operations that they call."""
    model = _model(service)
    return {xform_name(name): name for name in model.operation_names}


def _clients(path: Path) -> set[str]:
    return set(re.findall(r"\baws\.client\(\"([a-z-]+)\"\)", path.read_text(encoding="utf-8")))


@cache
def _available() -> frozenset[str]:
    return frozenset(_LOADER.list_available_services("service-2"))


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(_LOADER.load_service_model(service, "service-2"), service)
