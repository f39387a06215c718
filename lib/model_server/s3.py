"""Fetches and stores one job's files in Amazon S3.

The signature is AWS's version 4 ("Authenticating Requests" in the S3 API reference), tested against botocore's: an SDK
would double every image's load.
"""

import hashlib
import hmac
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote

import httpx

from model_server.errors import StartError

SCHEME = "s3://"
_CREDENTIALS_HOST = "http://169.254.170.2"  # of every container of ECS, Fargate and Batch
_EMPTY = hashlib.sha256(b"").hexdigest()
_LARGEST = 5 * 1024**3  # that S3 takes in one request
_TRIES = 5
_CHUNK = 1 << 20
_TIMEOUT = httpx.Timeout(60, connect=10)
_REMEDY = {
    "GET": "the job's role (task-role) must allow s3:GetObject for it",
    "PUT": "the job's role (task-role) must allow s3:PutObject for it",
}

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Keys:
    """The container's credentials."""

    key: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return "Keys(...)"


def fetch(url: str, to: Path, environment: Mapping[str, str] = os.environ, sleep: Sleep = time.sleep) -> None:
    """Write the object s3://BUCKET/KEY to a file, or raise StartError."""

    def received(answer: httpx.Response) -> None:
        with to.open("wb") as file:
            for part in answer.iter_bytes(_CHUNK):
                file.write(part)

    _request("GET", url, environment, sleep, None, received)


def store(
    file: BufferedReader, url: str, environment: Mapping[str, str] = os.environ, sleep: Sleep = time.sleep
) -> None:
    """Store the rest of `file`, whole or not at all, or raise StartError."""
    size = os.fstat(file.fileno()).st_size
    if size > _LARGEST:
        raise StartError(f"cannot write {url}: {size} bytes are more than S3 takes in one request (5 GiB)")
    _request("PUT", url, environment, sleep, file, lambda _: None)


def check(url: str) -> None:
    """Raise StartError unless `url` is s3://BUCKET/KEY."""
    _split(url)


def signed(
    method: str, url: httpx.URL, region: str, keys: Keys, digest: str, now: datetime, size: int | None = None
) -> dict[str, str]:
    """Return signed headers; `digest` is the body's SHA-256."""
    stamp, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
    headers = {"host": url.netloc.decode(), "x-amz-content-sha256": digest, "x-amz-date": stamp}
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    asked = "\n".join((method, url.raw_path.decode(), "", lines, names, digest))
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(asked.encode()).hexdigest()))
    secret = f"AWS4{keys.secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    credential = f"Credential={keys.key}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
    return headers if size is None else {**headers, "content-length": str(size)}


def address(bucket: str, key: str, region: str, environment: Mapping[str, str]) -> httpx.URL:
    path = quote(key, safe="/-_.~")
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    if endpoint:
        return httpx.URL(f"{endpoint.rstrip('/')}/{bucket}/{path}")
    host = f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    # No certificate of S3 holds for a bucket's name with dots.
    return httpx.URL(f"https://{host}/{bucket}/{path}" if "." in bucket else f"https://{bucket}.{host}/{path}")


def _request(
    method: str,
    url: str,
    environment: Mapping[str, str],
    sleep: Sleep,
    body: BufferedReader | None,
    received: Callable[[httpx.Response], None],
) -> None:
    bucket, key = _split(url)
    keys, region = _keys(url, environment), _region(environment)
    begin = body.tell() if body else 0
    digest = hashlib.file_digest(body, "sha256").hexdigest() if body else _EMPTY
    size = body.tell() - begin if body else None
    why = ""
    with httpx.Client(timeout=_TIMEOUT) as client:
        for wait in range(_TRIES):
            place = address(bucket, key, region, environment)
            headers = signed(method, place, region, keys, digest, datetime.now(UTC), size)
            if body:
                body.seek(begin)
            try:
                with client.stream(method, place, headers=headers, content=body) as answer:
                    if answer.is_success:
                        received(answer)
                        return
                    elsewhere = answer.headers.get("x-amz-bucket-region", region)
                    why = _why(answer)
            except httpx.HTTPError as error:
                why, elsewhere = f"{type(error).__name__}: {error}", region
            else:
                if elsewhere == region and not (answer.status_code >= 500 or answer.status_code == 429):
                    break
            if elsewhere != region:
                region = elsewhere
            else:
                sleep(2.0**wait / 4)
    doing = "read the input" if method == "GET" else "write the output"
    hint = f"; {_REMEDY[method]}" if "AccessDenied" in why else ""
    raise StartError(f"cannot {doing} {url}: {why}{hint}")


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    if not bucket or not key or key.endswith("/"):
        raise StartError(f"{url} does not name a file in S3: write s3://BUCKET/KEY")
    return bucket, key


def _why(answer: httpx.Response) -> str:
    text = answer.read().decode("utf-8", "replace")
    found = [match[1] for tag in ("Code", "Message") if (match := re.search(f"<{tag}>([^<]*)</{tag}>", text))]
    return ": ".join(found) or f"S3 answered {answer.status_code}"


def _region(environment: Mapping[str, str]) -> str:
    named = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if named:
        return named
    metadata = environment.get("ECS_CONTAINER_METADATA_URI_V4")
    if metadata:
        try:
            return str(_local(f"{metadata}/task", {})["TaskARN"]).split(":")[3]
        except (httpx.HTTPError, ValueError, KeyError, IndexError):
            pass
    return "us-east-1"  # S3 tells which one it is


def _keys(url: str, environment: Mapping[str, str]) -> Keys:
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return Keys(key, secret, environment.get("AWS_SESSION_TOKEN", ""))
    relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    where = f"{_CREDENTIALS_HOST}{relative}" if relative else environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    if not where:
        raise StartError(f"{url} needs AWS credentials and there are none: give the job a role (task-role)")
    try:
        found = _local(where, _token(environment))
        return Keys(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token", ""))
    except (httpx.HTTPError, ValueError, KeyError, OSError) as error:
        raise StartError(f"{url}: the container's AWS credentials cannot be had: {type(error).__name__}") from None


def _token(environment: Mapping[str, str]) -> dict[str, str]:
    file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    token = Path(file).read_text(encoding="utf-8") if file else environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    return {"Authorization": token.strip()} if token else {}


def _local(url: str, headers: Mapping[str, str]) -> dict[str, str]:
    # The container's own agent is asked past any proxy.
    with httpx.Client(trust_env=False, timeout=5) as client:
        found: dict[str, str] = client.get(url, headers=headers).raise_for_status().json()
        return found
