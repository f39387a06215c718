"""The resource types of our templates; others are refused."""

from model_sandbox.cloudformation import (
    container_services,
    file_system,
    load_balancing,
    network,
    role,
)
from model_sandbox.cloudformation.resource import Resource

RESOURCE_TYPES: dict[str, type[Resource]] = {
    "AWS::EC2::EIP": network.ElasticIp,
    "AWS::EC2::InternetGateway": network.InternetGateway,
    "AWS::EC2::NatGateway": network.NatGateway,
    "AWS::EC2::Route": network.Route,
    "AWS::EC2::RouteTable": network.RouteTable,
    "AWS::EC2::SecurityGroup": network.SecurityGroup,
    "AWS::EC2::SecurityGroupIngress": network.SecurityGroupIngress,
    "AWS::EC2::Subnet": network.Subnet,
    "AWS::EC2::SubnetRouteTableAssociation": network.SubnetRouteTableAssociation,
    "AWS::EC2::VPC": network.Vpc,
    "AWS::EC2::VPCEndpoint": network.VpcEndpoint,
    "AWS::EC2::VPCGatewayAttachment": network.VpcGatewayAttachment,
    "AWS::ECS::Cluster": container_services.Cluster,
    "AWS::EFS::AccessPoint": file_system.AccessPoint,
    "AWS::EFS::FileSystem": file_system.FileSystem,
    "AWS::EFS::MountTarget": file_system.MountTarget,
    "AWS::ElasticLoadBalancingV2::Listener": load_balancing.Listener,
    "AWS::ElasticLoadBalancingV2::ListenerRule": load_balancing.ListenerRule,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": load_balancing.LoadBalancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": load_balancing.TargetGroup,
    "AWS::IAM::InstanceProfile": role.InstanceProfile,
    "AWS::IAM::Role": role.Role,
    "AWS::Logs::LogGroup": container_services.LogGroup,
}
