"""Where moto answers otherwise than AWS documents, and a repeated call shows it: as AWS says."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from moto.batch.models import BatchBackend
from moto.efs.exceptions import EFSError
from moto.efs.models import EFSBackend
from moto.elbv2.models import ELBv2Backend
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend

_moto_updates = BatchBackend.update_compute_environment


def _updated(self: Any, compute_environment_name: str, state: Any, compute_resources: Any, service_role: Any) -> Any:
    """moto takes a change of the resources of instances and forgets it; AWS keeps it."""
    answer = _moto_updates(self, compute_environment_name, state, compute_resources, service_role)
    self.get_compute_environment(compute_environment_name).compute_resources.update(compute_resources or {})
    return answer


_moto_removes = IAMBackend.remove_role_from_instance_profile


def _removed(self: Any, profile_name: str, role_name: str) -> None:
    """moto fails where the profile has no such role; AWS says NoSuchEntity."""
    if self.get_role(role_name) not in self.get_instance_profile(profile_name).roles:
        raise NotFoundException(f"Role {role_name} cannot be found.")
    _moto_removes(self, profile_name, role_name)


_moto_balances = ELBv2Backend.create_load_balancer


def _balanced(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """moto makes another one of the same name; to AWS a second call with the same settings is the first."""
    there = (balancer for balancer in self.load_balancers.values() if balancer.name == name)
    return next(there, None) or _moto_balances(self, name, *args, **kwargs)


_moto_points = EFSBackend.create_access_point


def _pointed(self: Any, client_token: str, *args: Any, **kwargs: Any) -> Any:
    """moto makes another one by the same token; AWS says that it is there already."""
    if any(point.client_token == client_token for point in self.access_points.values()):
        raise EFSError("AccessPointAlreadyExists", "There is an access point by this creation token.")
    return _moto_points(self, client_token, *args, **kwargs)


@contextmanager
def mended() -> Iterator[None]:
    """moto, in this process, as AWS documents."""
    with ExitStack() as stack:
        for backend, operation, answer in (
            (BatchBackend, "update_compute_environment", _updated),
            (ELBv2Backend, "create_load_balancer", _balanced),
            (EFSBackend, "create_access_point", _pointed),
            (IAMBackend, "remove_role_from_instance_profile", _removed),
        ):
            stack.enter_context(patch.object(backend, operation, answer))
        yield
