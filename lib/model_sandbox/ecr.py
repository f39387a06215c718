"""ECR: answers about images come from our registry."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from model_sandbox import api
from model_sandbox.registry import Registry, Rules
from model_sandbox.storage import Manifest, Storage, StorageError
from model_sandbox.tokens import USER, Scope, Tokens
from model_sandbox.upstream import Upstream

_FILTERS = "imageTagMutabilityExclusionFilters"


def repository_rules(upstream: Upstream, scope: Scope, name: str) -> Rules | None:
    with upstream.within(scope):
        repository = upstream.ecr._repositories.get(name)
    return _rules(repository) if repository else None


def _rules(repository: dict[str, Any]) -> Rules:
    return Rules(
        repository.get("imageTagMutability", "MUTABLE"),
        tuple(each["filter"] for each in repository.get(_FILTERS) or ()),
        bool(repository.get("imageScanningConfiguration", {}).get("scanOnPush")),
    )


class Ecr:
    def __init__(
        self, upstream: Upstream, registry: Registry, credentials: Tokens, host: str, caller: Callable[[], str]
    ) -> None:
        self._upstream, self._registry, self._credentials, self._host = upstream, registry, credentials, host
        self._caller = caller

    def install(self) -> None:
        self._upstream.ecr._repo_uri = lambda name: f"{self._host}/{name}"  # type: ignore[attr-defined]
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "GetAuthorizationToken": self.get_authorization_token,
            "DescribeImages": self.describe_images,
            "ListImages": self.list_images,
            "BatchGetImage": self.batch_get_image,
            "BatchDeleteImage": self.batch_delete_image,
            "PutImage": self.put_image,
            "DeleteRepository": self.delete_repository,
            "DescribeImageScanFindings": self.describe_image_scan_findings,
            "StartImageScan": self.start_image_scan,
            "PutImageTagMutability": self.put_image_tag_mutability,
            "DescribeRepositories": self.describe_repositories,
        }
        api.serve(self._upstream.ecr, operations, api.by_target)

    def get_authorization_token(self, _request: dict[str, Any]) -> dict[str, Any]:
        token, expires = self._credentials.issue(self._upstream.scope(), caller=self._caller())
        encoded = base64.b64encode(f"{USER}:{token}".encode()).decode()
        data = {"authorizationToken": encoded, "expiresAt": expires, "proxyEndpoint": f"http://{self._host}"}
        return {"authorizationData": [data]}

    def describe_images(self, request: dict[str, Any]) -> dict[str, Any]:
        name, storage = self._repository(request)
        images = [self._find(storage, name, wanted) for wanted in request.get("imageIds") or []]
        details = [self._detail(storage, name, image) for image in images or storage.manifests(name)]
        status = request.get("filter", {}).get("tagStatus", "ANY")
        return {"imageDetails": [d for d in details if _tag_status_fits(status, d.get("imageTags"))]}

    def list_images(self, request: dict[str, Any]) -> dict[str, Any]:
        name, storage = self._repository(request)
        status = request.get("filter", {}).get("tagStatus", "ANY")
        pairs: list[dict[str, str]] = []
        for image in storage.manifests(name):
            tags = storage.tags_of(name, image.digest)
            if _tag_status_fits(status, tags):
                pairs += [{"imageDigest": image.digest, "imageTag": t} for t in tags] or [{"imageDigest": image.digest}]
        return {"imageIds": pairs}

    def batch_get_image(self, request: dict[str, Any]) -> dict[str, Any]:
        name, storage = self._repository(request)
        images, failures = [], []
        for wanted in request.get("imageIds", []):
            found = _lookup(storage, name, wanted)
            if found:
                images.append(self._image(name, found, wanted.get("imageTag")))
            else:
                failures.append(_not_found(wanted))
        return {"images": images, "failures": failures}

    def batch_delete_image(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove a tag, with its last tag the image; by digest, the image."""
        name, storage = self._repository(request)
        deleted, failures = [], []
        for wanted in request.get("imageIds", []):
            found = _lookup(storage, name, wanted)
            if not found:
                failures.append(_not_found(wanted))
                continue
            deleted.append({**wanted, "imageDigest": found.digest})
            if "imageDigest" not in wanted:
                storage.untag(name, wanted["imageTag"])
            if "imageDigest" in wanted or not storage.tags_of(name, found.digest):
                storage.delete_manifest(name, found.digest)
        return {"imageIds": deleted, "failures": failures}

    def put_image(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tag a stored manifest, or store one whose layers are there."""
        name, storage = self._repository(request)
        content, tag = request.get("imageManifest", "").encode(), request.get("imageTag")
        media_type = request.get("imageManifestMediaType", "application/vnd.docker.distribution.manifest.v2+json")
        immutable = bool(tag) and _rules(self._settings(name)).fixes(str(tag))
        before = storage.tags(name)
        try:
            reference = tag or request.get("imageDigest") or f"sha256:{hashlib.sha256(content).hexdigest()}"
            digest = storage.put_manifest(name, reference, media_type, content, immutable)
        except StorageError as error:
            codes = {
                "TAG_INVALID": "ImageTagAlreadyExistsException",
                "MANIFEST_BLOB_UNKNOWN": "LayersNotFoundException",
            }
            raise api.ApiError(codes.get(error.code, "InvalidParameterException"), str(error)) from error
        if tag and before.get(tag) == digest:
            message = f"Image with digest '{digest}' and tag '{tag}' already exists in the '{name}' repository"
            raise api.ApiError("ImageAlreadyExistsException", message)
        stored = storage.manifest(name, digest)
        return {"image": self._image(name, stored, tag)} if stored else {}

    def delete_repository(self, request: dict[str, Any]) -> dict[str, Any]:
        name, storage = self._repository(request)
        if storage.manifests(name) and not request.get("force"):
            message = f"The repository with name '{name}' in registry with id '{self._account()}' cannot be deleted "
            raise api.ApiError("RepositoryNotEmptyException", message + "because it still contains images")
        answer = api.ask(self._upstream.ecr._delete_repository({**request, "force": True}))
        storage.delete_repository(name)
        return answer

    def put_image_tag_mutability(self, request: dict[str, Any]) -> dict[str, Any]:
        """Keep the filters that ministack forgets."""
        answer = api.ask(self._upstream.ecr._put_image_tag_mutability(request))
        filters = request.get(_FILTERS) or []
        self._upstream.ecr._repositories[request["repositoryName"]][_FILTERS] = filters
        return {**answer, _FILTERS: filters}

    def describe_repositories(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = api.ask(self._upstream.ecr._describe_repositories(request))
        for shown in answer["repositories"]:
            if filters := self._settings(shown["repositoryName"]).get(_FILTERS):
                shown[_FILTERS] = filters
        return answer

    def describe_image_scan_findings(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return empty findings where ECR would have scanned (docs/sandbox.md)."""
        name, storage = self._repository(request)
        found = self._find(storage, name, request.get("imageId", {}))
        if not self._is_scanned(name, found):
            message = f"Image scan does not exist for the image with '{{imageDigest:'{found.digest}'}}' in the "
            raise api.ApiError("ScanNotFoundException", f"{message}repository with name '{name}'")
        return {
            "registryId": self._account(),
            "repositoryName": name,
            "imageId": {"imageDigest": found.digest},
            "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
            "imageScanFindings": {"findings": [], "findingSeverityCounts": {}},
        }

    def start_image_scan(self, request: dict[str, Any]) -> dict[str, Any]:
        name, storage = self._repository(request)
        found = self._find(storage, name, request.get("imageId", {}))
        self._registry.scanned.add((self._upstream.scope(), name, found.digest))
        identity = {"imageDigest": found.digest}
        status = {"status": "IN_PROGRESS"}
        return {
            "registryId": self._account(),
            "repositoryName": name,
            "imageId": identity,
            "imageScanStatus": status,
        }

    def _is_scanned(self, name: str, image: Manifest) -> bool:
        return (self._upstream.scope(), name, image.digest) in self._registry.scanned

    def _account(self) -> str:
        return self._upstream.scope().account

    def _settings(self, name: str) -> dict[str, Any]:
        return dict(self._upstream.ecr._repositories.get(name) or {})

    def _repository(self, request: dict[str, Any]) -> tuple[str, Storage]:
        name = request.get("repositoryName", "")
        if not self._settings(name):
            message = f"The repository with name '{name}' does not exist in the registry with id '{self._account()}'"
            raise api.ApiError("RepositoryNotFoundException", message)
        return name, self._registry.storage(self._upstream.scope())

    def _find(self, storage: Storage, name: str, wanted: dict[str, str]) -> Manifest:
        if found := _lookup(storage, name, wanted):
            return found
        words = ", ".join(f"{key}:'{value}'" for key, value in wanted.items())
        message = f"The image with imageId {{{words}}} does not exist within the repository with name '{name}' in the "
        raise api.ApiError("ImageNotFoundException", message + f"registry with id '{self._account()}'")

    def _image(self, name: str, manifest: Manifest, tag: str | None) -> dict[str, Any]:
        identity = {"imageDigest": manifest.digest, **({"imageTag": tag} if tag else {})}
        return {
            "registryId": self._account(),
            "repositoryName": name,
            "imageId": identity,
            "imageManifest": manifest.content.decode(),
            "imageManifestMediaType": manifest.media_type,
        }

    def _detail(self, storage: Storage, name: str, manifest: Manifest) -> dict[str, Any]:
        body, tags = json.loads(manifest.content), storage.tags_of(name, manifest.digest)
        scan = {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindingsSummary": {"findingSeverityCounts": {}}}
        return {
            "registryId": self._account(),
            "repositoryName": name,
            "imageDigest": manifest.digest,
            **({"imageTags": tags} if tags else {}),
            "imageSizeInBytes": storage.size(name, manifest),
            "imagePushedAt": manifest.pushed_at,
            "imageManifestMediaType": manifest.media_type,
            "artifactMediaType": body.get("config", {}).get("mediaType", manifest.media_type),
            **(scan if self._is_scanned(name, manifest) else {}),
        }


def _lookup(storage: Storage, name: str, wanted: dict[str, str]) -> Manifest | None:
    try:
        found = storage.manifest(name, wanted.get("imageDigest") or wanted.get("imageTag", ""))
    except StorageError:
        return None
    if found and "imageTag" in wanted and storage.tags(name).get(wanted["imageTag"]) != found.digest:
        return None
    return found


def _not_found(wanted: dict[str, str]) -> dict[str, Any]:
    return {"imageId": wanted, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}


def _tag_status_fits(status: str, tags: list[str] | None) -> bool:
    return status == "ANY" or (status == "TAGGED") == bool(tags)
