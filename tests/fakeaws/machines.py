"""The machines that bridge and host tasks run on, and what EC2 and Systems Manager answer about them."""

from __future__ import annotations

import socket
import uuid
from typing import Any

from . import errors, paging
from .world import Cluster, Host, Key, Refused, Task, World

Document = dict[str, Any]

EC2_VALUES = 200  # of one filter
SSM_PAGE, SSM_VALUES = 50, 100


def add_host(world: World, cluster: Cluster, external: bool = False, address: str | None = None) -> Host:
    """A container instance of the cluster; its machine has a loopback address of its own."""
    prefix = "mi" if external else "i"
    path = uuid.uuid4().hex if cluster.old_arns else f"{cluster.name}/{uuid.uuid4().hex}"
    host = Host(world.arn(cluster.account, f"container-instance/{path}"), f"{prefix}-0{uuid.uuid4().hex[:16]}",
                cluster, address or world.addresses.next(), world.now())
    cluster.hosts[host.arn] = host
    return host


def free_port(address: str) -> int:
    """As Docker chooses one: from the ephemeral range, free at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def place(task: Task) -> None:
    """On the machine of the cluster with the fewest tasks; its ports are bound there."""
    hosts = list(task.cluster.hosts.values())
    if not hosts:
        raise Refused(f"cluster {task.cluster.name} has no host for a task of network mode "
                      f"{task.definition.network_mode}")
    load = {host.arn: sum(t.host is host for t in task.cluster.tasks.values()) for host in hosts}
    task.host = min(hosts, key=lambda host: load[host.arn])
    task.address = task.host.address
    for container in task.definition.containers:
        for mapping in container.get("portMappings", []):
            task.bindings.append(_bind(task, container["name"], mapping))


def _bind(task: Task, container: str, mapping: Document) -> Document:
    assert task.host is not None
    protocol = mapping.get("protocol", "tcp")
    if "containerPortRange" in mapping:
        first, _, last = mapping["containerPortRange"].partition("-")
        start = free_port(task.host.address)
        end = start + int(last or first) - int(first)
        return {"container": container, "containerPortRange": mapping["containerPortRange"],
                "hostPortRange": f"{start}-{end}", "protocol": protocol, "port": start}
    port = mapping.get("hostPort", 0)
    if task.definition.network_mode == "host":
        port = mapping["containerPort"]
    port = port or free_port(task.host.address)
    return {"container": container, "containerPort": mapping["containerPort"], "hostPort": port,
            "protocol": protocol, "port": port}


# EC2

def describe_instances(world: World, key: Key, request: Document) -> Document:
    hosts = {host.id: host for host in world.hosts(key.account) if not host.external}
    named = request.get("InstanceIds", [])
    for instance_id in named:
        if instance_id not in hosts:
            raise errors.AwsError("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
    if named and "MaxResults" in request:
        raise errors.AwsError("InvalidParameterCombination",
                              "The parameter instancesSet cannot be used with the parameter maxResults")
    chosen = set(named or hosts)
    for wanted in request.get("Filters", []):
        if wanted["Name"] != "instance-id":
            raise errors.AwsError("InvalidParameterValue", f"The filter '{wanted['Name']}' is invalid")
        if len(wanted["Values"]) > EC2_VALUES:
            raise errors.AwsError("FilterLimitExceeded", "The maximum number of filter values is 200")
        chosen &= set(wanted["Values"])
    items = [_instance(hosts[name]) for name in sorted(chosen) if hosts[name].address_known]
    size = request.get("MaxResults", 1000)
    if not 5 <= size <= 1000:
        raise errors.AwsError("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid.")
    page, token = paging.page(items, size, request.get("NextToken"))
    return {"Reservations": [{"ReservationId": f"r-{item['InstanceId'][2:]}", "OwnerId": key.account,
                              "Instances": [item]} for item in page],
            **({"NextToken": token} if token else {})}


def _instance(host: Host) -> Document:
    return {"InstanceId": host.id, "ImageId": "ami-0abcdef1234567890", "InstanceType": "m5.large",
            "State": {"Code": 16, "Name": "running"}, "PrivateIpAddress": host.address,
            "PrivateDnsName": f"ip-{host.address.replace('.', '-')}.ec2.internal",
            "NetworkInterfaces": [{"PrivateIpAddress": host.address, "Status": "in-use", "Ipv6Addresses": []}],
            "Tags": [{"Key": "Name", "Value": "a \"host\" <of> ECS & friends"}]}


# Systems Manager

def describe_instance_information(world: World, key: Key, request: Document) -> Document:
    hosts = {host.id: host for host in world.hosts(key.account) if host.address_known}
    chosen = set(hosts)
    for wanted in request.get("Filters", []):
        if wanted["Key"] != "InstanceIds" or not 1 <= len(wanted["Values"]) <= SSM_VALUES:
            raise errors.AwsError("InvalidFilter", "")
        chosen &= set(wanted["Values"])
    size = request.get("MaxResults", 10)
    if not 5 <= size <= SSM_PAGE:
        raise errors.AwsError("ValidationException", f"Value '{size}' at 'maxResults' failed to satisfy constraint")
    items = [{"InstanceId": name, "PingStatus": "Online", "PlatformType": "Linux", "ResourceType": "ManagedInstance",
              "IPAddress": hosts[name].address, "ComputerName": f"{name}.example"} for name in sorted(chosen)]
    page, token = paging.page(items, size, request.get("NextToken"))
    return {"InstanceInformationList": page, **({"NextToken": token} if token else {})}
