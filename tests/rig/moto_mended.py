"""Corrections of moto where it answers otherwise than AWS documents and a repeated call shows it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from moto.backends import list_of_moto_modules
from moto.batch.models import BatchBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.utils import random_private_ip
from moto.efs.exceptions import EFSError
from moto.efs.models import EFSBackend
from moto.elbv2.models import ELBv2Backend
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend

_moto_updates = BatchBackend.update_compute_environment


def _updated(self: Any, compute_environment_name: str, state: Any, compute_resources: Any, service_role: Any) -> Any:
    """Keep a change of the resources of instances: moto takes it and forgets it."""
    answer = _moto_updates(self, compute_environment_name, state, compute_resources, service_role)
    self.get_compute_environment(compute_environment_name).compute_resources.update(compute_resources or {})
    return answer


_moto_removes = IAMBackend.remove_role_from_instance_profile


def _removed(self: Any, profile_name: str, role_name: str) -> None:
    """Answer NoSuchEntity, as AWS does, where the profile has no such role: moto fails."""
    if self.get_role(role_name) not in self.get_instance_profile(profile_name).roles:
        raise NotFoundException(f"Role {role_name} cannot be found.")
    _moto_removes(self, profile_name, role_name)


_moto_balances = ELBv2Backend.create_load_balancer
_moto_ends_balancer = ELBv2Backend.delete_load_balancer


def _balanced(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """Return the first one for a second call of the same name and settings: moto makes another.

    It makes no network interfaces either.
    """
    there = next((balancer for balancer in self.load_balancers.values() if balancer.name == name), None)
    if there:
        return there
    made = _moto_balances(self, name, *args, **kwargs)
    for subnet in made.subnets:
        ip, said = random_private_ip(subnet.cidr_block), f"ELB {made.arn.rpartition(':loadbalancer/')[2]}"
        self.ec2_backend.create_network_interface(subnet, ip, group_ids=made.security_groups, description=said)
    return made


def _balancer_ended(self: Any, arn: str) -> None:
    """End it with its network interfaces."""
    _moto_ends_balancer(self, arn)
    said = f"ELB {arn.rpartition(':loadbalancer/')[2]}"
    for interface in [each for each in self.ec2_backend.enis.values() if each.description == said]:
        self.ec2_backend.delete_network_interface(interface.id)


_moto_points = EFSBackend.create_access_point


def _pointed(self: Any, client_token: str, *args: Any, **kwargs: Any) -> Any:
    """Refuse a repeated token, as AWS does: moto makes another one."""
    if any(point.client_token == client_token for point in self.access_points.values()):
        raise EFSError("AccessPointAlreadyExists", "There is an access point by this creation token.")
    return _moto_points(self, client_token, *args, **kwargs)


_moto_leads_out = NatGatewayBackend.create_nat_gateway
_moto_ends_gateway = NatGatewayBackend.delete_nat_gateway


def _led_out(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Say of each network interface what it is of, as AWS does."""
    made = _moto_leads_out(self, *args, **kwargs)
    made._eni.description = f"Interface for NAT Gateway {made.id}"
    return made


def _gateway_ended(self: Any, nat_gateway_id: str) -> Any:
    """Take the network interface away and free the address, as AWS does."""
    gone = _moto_ends_gateway(self, nat_gateway_id)
    for address in self.addresses:
        if address.eni is gone._eni:
            address.eni = address.association_id = None
    self.enis.pop(gone._eni.id, None)
    return gone


_moto_mounts = EFSBackend.create_mount_target


def _mounted(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Do for mount targets what is done for NAT gateways."""
    made = _moto_mounts(self, *args, **kwargs)
    interface = self.ec2_backend.enis[made.network_interface_id]
    interface.description = f"EFS mount target for {made.file_system_id} ({made.mount_target_id})"
    return made


#: moto's own, which looks through its folder at each request.
_MODULES = tuple(list_of_moto_modules())


@contextmanager
def mended() -> Iterator[None]:
    """Mend moto, in this process, to what AWS documents."""
    with ExitStack() as stack:
        stack.enter_context(patch("moto.backends.list_of_moto_modules", lambda: _MODULES))
        for backend, operation, answer in (
            (BatchBackend, "update_compute_environment", _updated),
            (ELBv2Backend, "create_load_balancer", _balanced),
            (ELBv2Backend, "delete_load_balancer", _balancer_ended),
            (EFSBackend, "create_access_point", _pointed),
            (EFSBackend, "create_mount_target", _mounted),
            (NatGatewayBackend, "create_nat_gateway", _led_out),
            (NatGatewayBackend, "delete_nat_gateway", _gateway_ended),
            (IAMBackend, "remove_role_from_instance_profile", _removed),
        ):
            stack.enter_context(patch.object(backend, operation, answer))
        yield
