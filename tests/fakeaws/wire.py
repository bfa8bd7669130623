"""How the world looks in ECS's answers: member names, types and omissions as on the wire.

Times are epoch seconds with milliseconds, cpu and memory are strings, and a member without a value is left
out rather than null. Modelled on AWS's published DescribeTasks examples.
"""

from __future__ import annotations

from typing import Any

from .world import (ACTIVATING, DEPROVISIONING, PENDING, PROVISIONING, RUNNING, STOPPED, Cluster, Definition,
                    Deployment, Host, Service, Task)

# What a container is while its task is not yet, or no longer, running.
_CONTAINER_STATUS = {PROVISIONING: PENDING, PENDING: PENDING, ACTIVATING: "RUNNING", DEPROVISIONING: STOPPED,
                     STOPPED: STOPPED}


def _time(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _without_nones(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _shows_address(task: Task) -> bool:
    """The network interface is made while PROVISIONING; before that there is nothing to show."""
    return task.address is not None and not task.address_held and task.is_at_least(PENDING)


def _attachment(task: Task) -> dict[str, Any]:
    details: list[dict[str, Any]] = [{"name": "subnetId", "value": f"subnet-0d0eab1bb3{task.zone[-1] * 7}"}]
    status = "PRECREATED"
    if _shows_address(task):
        details += [
            {"name": "networkInterfaceId", "value": task.interface_id},
            {"name": "macAddress", "value": "0e:89:76:28:07:b3"},
            {"name": "privateDnsName", "value": f"ip-{str(task.address).replace('.', '-')}.ec2.internal"},
            {"name": "privateIPv4Address", "value": task.address},
        ]
        status = "DELETED" if task.last_status == STOPPED else "ATTACHED"
    return {"id": task.attachment_id, "type": "ElasticNetworkInterface", "status": status, "details": details}


def _bindings(task: Task, container: str) -> list[dict[str, Any]]:
    """Docker binds each port for IPv4 and for IPv6. The agent reports none for tasks of the host's network."""
    if task.definition.network_mode != "bridge" or task.bindings_held or not task.is_at_least(RUNNING):
        return []
    return [{"bindIP": ip, **{name: value for name, value in binding.items() if name not in ("container", "port")}}
            for binding in task.bindings if binding["container"] == container for ip in ("0.0.0.0", "::")]


def _attachments(task: Task) -> list[dict[str, Any]]:
    """Beside the interface: a volume and Service Connect, as a service may ask for."""
    volume = {"id": f"{task.attachment_id[:-1]}0", "type": "AmazonElasticBlockStorage", "status": "ATTACHED",
              "details": [{"name": "volumeId", "value": "vol-0f1e2d3c4b5a69788"}]}
    connect = {"id": f"{task.attachment_id[:-1]}1", "type": "Service Connect", "status": "ATTACHED",
               "details": [{"name": "ContainerName", "value": "ecs-service-connect-abcde"}]}
    own = [_attachment(task)] if task.definition.network_mode == "awsvpc" else []
    return [volume, *own, connect]


def launch_type(task: Task) -> str:
    return "FARGATE" if not task.host else "EXTERNAL" if task.host.external else "EC2"


def _container(task: Task, container: dict[str, Any], container_id: str) -> dict[str, Any]:
    cluster = task.cluster
    path = container_id if cluster.old_arns else f"{cluster.name}/{task.id}/{container_id}"
    prefix = task.arn.split(":task/", 1)[0]
    interfaces = []
    if _shows_address(task) and not task.host:
        # Another spelling than in the attachment, by AWS: privateIpv4Address here, privateIPv4Address there.
        interfaces = [{"attachmentId": task.attachment_id, "privateIpv4Address": task.address}]
    return _without_nones({
        "containerArn": f"{prefix}:container/{path}",
        "taskArn": task.arn,
        "name": container["name"],
        "image": container.get("image", "example/rng:latest"),
        "runtimeId": f"{task.id}-265927825" if task.started_at else None,
        "lastStatus": _CONTAINER_STATUS.get(task.last_status, RUNNING),
        "exitCode": task.exit_code if task.is_at_least(DEPROVISIONING) else None,
        "networkBindings": _bindings(task, container["name"]),
        "networkInterfaces": interfaces,
        # Only a health check in the task definition is looked at; without one it stays UNKNOWN.
        "healthStatus": task.health if container.get("essential", True) else "UNKNOWN",
        "cpu": str(container.get("cpu", 0)),
        "memory": str(container["memory"]) if "memory" in container else None,
    })


def task(task_: Task) -> dict[str, Any]:
    definition = task_.definition
    return _without_nones({
        "attachments": _attachments(task_),
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "availabilityZone": task_.zone,
        "clusterArn": task_.cluster.arn,
        "connectivity": "CONNECTED" if task_.pull_started_at else None,
        "connectivityAt": _time(task_.pull_started_at),
        "containerInstanceArn": task_.host.arn if task_.host else None,
        "containers": [_container(task_, container, container_id)
                       for container, container_id in zip(definition.containers, task_.container_ids)],
        "cpu": "256",
        "createdAt": _time(task_.created_at),
        "desiredStatus": task_.desired_status,
        "enableExecuteCommand": False,
        "executionStoppedAt": _time(task_.execution_stopped_at),
        "group": task_.group,
        "healthStatus": task_.health,
        "lastStatus": task_.last_status,
        "launchType": launch_type(task_),
        "memory": "512",
        "overrides": {"containerOverrides": [{"name": c["name"]} for c in definition.containers],
                      "inferenceAcceleratorOverrides": []},
        "platformVersion": None if task_.host else "1.4.0",
        "platformFamily": None if task_.host else "Linux",
        "pullStartedAt": _time(task_.pull_started_at),
        "pullStoppedAt": _time(task_.pull_stopped_at),
        "startedAt": _time(task_.started_at),
        "startedBy": task_.started_by or None,
        "stopCode": task_.stop_code,
        "stoppedAt": _time(task_.stopped_at),
        "stoppedReason": task_.stopped_reason,
        "stoppingAt": _time(task_.stopping_at),
        "tags": [],
        "taskArn": task_.arn,
        "taskDefinitionArn": definition.arn,
        "version": task_.version,
        "ephemeralStorage": None if task_.host else {"sizeInGiB": 20},
    })


def definition(definition_: Definition) -> dict[str, Any]:
    account = definition_.arn.split(":")[4]
    return _without_nones({
        "taskDefinitionArn": definition_.arn,
        "containerDefinitions": [_container_definition(c, definition_.on_host) for c in definition_.containers],
        "family": definition_.family,
        # A definition that names none is a bridge one, and says so by saying nothing.
        "networkMode": None if definition_.network_mode_unsaid else definition_.network_mode,
        "revision": definition_.revision,
        "volumes": [],
        "status": "ACTIVE",
        "requiresAttributes": [] if definition_.on_host else [{"name": "ecs.capability.task-eni"}],
        "placementConstraints": [],
        "compatibilities": ["EC2", "EXTERNAL"] if definition_.on_host else ["EC2", "FARGATE"],
        "requiresCompatibilities": None if definition_.on_host else ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "registeredAt": _time(definition_.registered_at),
        "registeredBy": f"arn:aws:iam::{account}:user/deployer",
    })


def _container_definition(container: dict[str, Any], on_host: bool) -> dict[str, Any]:
    """As registered, with the members that ECS fills in."""
    filled: dict[str, Any] = {
        "image": "example/rng:latest", "cpu": 0, "portMappings": [], "essential": True, "environment": [],
        "mountPoints": [], "volumesFrom": [], **container}
    mappings = []
    for mapping in filled["portMappings"]:
        if "containerPortRange" in mapping:
            mappings.append({"protocol": "tcp", **mapping})
            continue
        port = 0 if on_host else mapping["containerPort"]  # chosen when the task starts
        mappings.append({"hostPort": port, "protocol": "tcp", **mapping})
    filled["portMappings"] = mappings
    return filled


def _counts(service_: Service, definition_arn: str | None = None) -> tuple[int, int]:
    """How many tasks run, and how many are on their way."""
    running = pending = 0
    for task_ in service_.cluster.tasks_of(service_):
        if task_.desired_status != RUNNING or definition_arn not in (None, task_.definition.arn):
            continue
        running += task_.last_status == RUNNING
        pending += not task_.is_at_least(RUNNING)
    return running, pending


def _network_configuration() -> dict[str, Any]:
    return {"awsvpcConfiguration": {"subnets": ["subnet-0d0eab1bb3aaaaaaa"],
                                    "securityGroups": ["sg-0f1e2d3c4b5a69788"], "assignPublicIp": "DISABLED"}}


def _deployment(service_: Service, deployment: Deployment) -> dict[str, Any]:
    running, pending = _counts(service_, deployment.definition.arn)
    primary = deployment is service_.primary
    done = primary and len(service_.deployments) == 1 and running == service_.desired
    return {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.definition.arn,
        "desiredCount": service_.desired if primary else 0,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": service_.failures_in_a_row if primary else 0,
        "createdAt": _time(deployment.created_at),
        "updatedAt": _time(deployment.updated_at),
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": _network_configuration(),
        "rolloutState": "COMPLETED" if done else "IN_PROGRESS",
        "rolloutStateReason": f"ECS deployment {deployment.id} {'completed' if done else 'in progress'}.",
    }


def service(service_: Service) -> dict[str, Any]:
    running, pending = _counts(service_)
    return {
        "serviceArn": service_.arn,
        "serviceName": service_.name,
        "clusterArn": service_.cluster.arn,
        "loadBalancers": [],
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": service_.desired,
        "runningCount": running,
        "pendingCount": pending,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "taskDefinition": service_.primary.definition.arn,
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": False, "rollback": False},
            "maximumPercent": service_.maximum_percent,
            "minimumHealthyPercent": service_.minimum_percent,
        },
        "deployments": [_deployment(service_, deployment) for deployment in service_.deployments],
        "events": [],
        "createdAt": _time(service_.created_at),
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": _network_configuration(),
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "createdBy": f"arn:aws:iam::{service_.cluster.account}:user/deployer",
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
    }


def container_instance(host: Host) -> dict[str, Any]:
    tasks = [t for t in host.cluster.tasks.values() if t.host is host and t.desired_status == RUNNING]
    return {
        "containerInstanceArn": host.arn,
        "ec2InstanceId": host.id,
        "version": 7,
        "versionInfo": {"agentVersion": "1.86.2", "dockerVersion": "DockerVersion: 25.0.6"},
        "status": "ACTIVE",
        "agentConnected": True,
        "runningTasksCount": sum(t.last_status == RUNNING for t in tasks),
        "pendingTasksCount": sum(not t.is_at_least(RUNNING) for t in tasks),
        "attributes": [{"name": "ecs.availability-zone", "value": "eu-west-1a"}],
        "registeredAt": _time(host.registered_at),
        "attachments": [],
        "tags": [],
    }


def cluster(cluster_: Cluster) -> dict[str, Any]:
    tasks = [t for t in cluster_.tasks.values() if t.desired_status == RUNNING]
    return {
        "clusterArn": cluster_.arn,
        "clusterName": cluster_.name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": len(cluster_.hosts),
        "runningTasksCount": sum(t.last_status == RUNNING for t in tasks),
        "pendingTasksCount": sum(not t.is_at_least(RUNNING) for t in tasks),
        "activeServicesCount": len(cluster_.services),
        "statistics": [],
        "tags": [],
        "settings": [{"name": "containerInsights", "value": "disabled"}],
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": [],
    }
