"""packaging/ecs/rollcall.yaml: read as CloudFormation reads it, with nothing but a YAML reader, and held against the programs.

AWS itself is not asked. What is proven: every reference has something behind it, rollcalld takes the configuration, the
role allows what rollcalld says that it needs and no more, and the containers start and stop in an order that can be.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from rollcall_testlib import paths
from rollcall_testlib.daemon import check_configuration

TEMPLATE = paths.TOP / "packaging" / "ecs" / "rollcall.yaml"
EVENTS = paths.TOP / "packaging" / "aws" / "events.yaml"
PSEUDO = {"AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws", "AWS::NoValue": None,
          "AWS::StackName": "rollcall", "AWS::URLSuffix": "amazonaws.com"}
# What Fn::GetAtt may ask of the types that we use.
ATTRIBUTES = {"AWS::IAM::Role": {"Arn", "RoleId"}, "AWS::Events::Rule": {"Arn"}, "AWS::SNS::Topic": {"TopicArn", "TopicName"},
              "AWS::ElasticLoadBalancingV2::LoadBalancer": {"DNSName", "LoadBalancerFullName", "CanonicalHostedZoneID"},
              "AWS::SQS::Queue": {"Arn", "QueueName"}, "AWS::EC2::SecurityGroup": {"GroupId", "VpcId"}, "AWS::Logs::LogGroup": {"Arn"}, "AWS::ECS::Service": {"Name"}}
IN_SUB = re.compile(r"\$\{([^!}][^}]*)\}")


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags: !Ref becomes {"Ref": ...}, !Sub {"Fn::Sub": ...}."""


def _tagged(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _tagged)


@pytest.fixture(name="template")
def _template() -> dict[str, Any]:
    return yaml.load(TEMPLATE.read_text(), Loader)


def functions(value: Any) -> Iterator[tuple[str, Any]]:
    """Every intrinsic function in a value."""
    if isinstance(value, dict):
        if len(value) == 1 and (name := next(iter(value))) and (name == "Ref" or name.startswith("Fn::")):
            yield name, value[name]
        for item in value.values():
            yield from functions(item)
    elif isinstance(value, list):
        for item in value:
            yield from functions(item)


def dangling(template: dict[str, Any]) -> list[str]:
    """What is referred to and is not there."""
    resources, bad = template["Resources"], []
    known = {*template["Parameters"], *resources, *PSEUDO}

    def attribute(name: str, of: str) -> None:
        if name not in resources or of not in ATTRIBUTES.get(resources[name]["Type"], set()):
            bad.append(f"{name}.{of}")

    for function, given in functions(template):
        if function == "Ref" and given not in known:
            bad.append(given)
        elif function == "Fn::GetAtt":
            attribute(*given)
        elif function == "Fn::If" and given[0] not in template["Conditions"]:
            bad.append(given[0])
        elif function == "Fn::Sub":
            text, own = (given, {}) if isinstance(given, str) else given
            for name in IN_SUB.findall(text):
                if "." in name:
                    attribute(*name.split(".", 1))
                elif name not in known and name not in own:
                    bad.append(name)
    for resource in resources.values():
        bad += ({resource["Condition"]} if "Condition" in resource else set()) - set(template["Conditions"])
        after = resource.get("DependsOn", [])
        bad += set([after] if isinstance(after, str) else after) - set(resources)
    return bad


class Stack:
    """The template with its parameters, every function carried out. A resource is referred to as an ARN of its name."""

    def __init__(self, template: dict[str, Any], **parameters: str) -> None:
        self._template = template
        self._values = {**{name: shape.get("Default", f"some-{name}") for name, shape in template["Parameters"].items()},
                        **PSEUDO, **parameters}
        self._conditions = template["Conditions"]
        self.resources = {name: self.solve(resource) for name, resource in template["Resources"].items()
                          if "Condition" not in resource or self._holds(resource["Condition"])}
        self.outputs = self.solve(template["Outputs"])

    def _holds(self, condition: str) -> bool:
        return bool(self.solve(self._conditions[condition]))

    def value(self, name: str) -> Any:
        return self._values[name] if name in self._values else f"arn:aws:sns:eu-west-1:123456789012:{name}"

    def solve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self.solve, value) if item is not None]
        if not isinstance(value, dict):
            return value
        name = next(iter(value), "")
        if len(value) == 1 and (name == "Ref" or name.startswith("Fn::")):
            return getattr(self, "_" + name.removeprefix("Fn::").lower())(value[name])
        solved = {key: self.solve(item) for key, item in value.items()}
        return {key: item for key, item in solved.items() if item is not None}

    def _ref(self, name: str) -> Any:
        return self.value(name)

    def _getatt(self, given: list[str]) -> str:
        return f"{given[0]}.{given[1]}"

    def _sub(self, given: Any) -> str:
        text, own = (given, {}) if isinstance(given, str) else given
        own = self.solve(own)
        return IN_SUB.sub(lambda found: str(own.get(found[1]) or self.value(found[1])), text)

    def _if(self, given: list[Any]) -> Any:
        return self.solve(given[1] if self._holds(given[0]) else given[2])

    def _equals(self, given: list[Any]) -> bool:
        return self.solve(given[0]) == self.solve(given[1])

    def _not(self, given: list[Any]) -> bool:
        return not self.solve(given[0])

    def containers(self, definition: str) -> dict[str, dict[str, Any]]:
        listed = self.resources[definition]["Properties"]["ContainerDefinitions"]
        return {container["Name"]: container for container in listed}


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {pair["Name"]: pair["Value"] for pair in container["Environment"]}


@pytest.fixture(name="stack")
def _stack(template: dict[str, Any]) -> Stack:
    return Stack(template, ExampleImage="example", CertificateArn="arn:aws:acm:eu-west-1:123456789012:certificate/c")


@pytest.mark.parametrize("file", [TEMPLATE, EVENTS], ids=lambda file: file.stem)
def test_every_reference_of_a_template_has_something_behind_it(file: Path) -> None:
    assert dangling(yaml.load(file.read_text(), Loader)) == []


@pytest.mark.parametrize("value", [{"Ref": "Nobody"}, {"Fn::GetAtt": ["TaskRole", "Name"]}, {"Fn::Sub": "a ${Nobody} b"},
                                   {"Fn::Sub": "${Nobody.Arn}"}, {"Fn::If": ["Never", 1, 2]}])
def test_a_reference_that_has_nothing_behind_it_is_found(template: dict[str, Any], value: dict[str, Any]) -> None:
    planted = copy.deepcopy(template)
    planted["Resources"]["LogGroup"]["Properties"]["LogGroupName"] = value
    assert len(dangling(planted)) == 1


def test_both_templates_mean_the_same_events(template: dict[str, Any]) -> None:
    other = yaml.load(EVENTS.read_text(), Loader)
    rules = [found["Resources"][name]["Properties"]["EventPattern"] for found, name in ((template, "EventsRule"), (other, "Rule"))]
    for rule in rules:
        assert isinstance(rule["detail"].pop("clusterArn"), (list, dict))
    assert rules[0] == rules[1]


def test_every_parameter_and_condition_of_the_template_is_used(template: dict[str, Any]) -> None:
    text = TEMPLATE.read_text()
    for name in [*template["Parameters"], *template["Conditions"]]:
        assert len(re.findall(rf"\b{name}\b", text)) > 1, name


def test_the_template_goes_with_and_without_certificate_and_example(template: dict[str, Any], stack: Stack) -> None:
    listener = stack.resources["Listener"]["Properties"]
    assert (listener["Protocol"], listener["Port"], listener["AlpnPolicy"]) == ("TLS", 443, ["HTTP2Preferred"])
    plain = Stack(template)
    listener = plain.resources["Listener"]["Properties"]
    assert (listener["Protocol"], listener["Port"]) == ("TCP", 50051)
    assert not {"AlpnPolicy", "SslPolicy", "Certificates"} & set(listener)
    assert set(stack.resources) - set(plain.resources) == {"ExampleSecurityGroup", "ExampleTaskDefinition", "ExampleService"}
    assert plain.outputs["Address"]["Value"].endswith(":50051")


def test_rollcalld_takes_the_configuration_of_the_template(tmp_path: Path, stack: Stack) -> None:
    containers = stack.containers("ProxyTaskDefinition")
    configuration = environment(containers["rollcalld"])["ROLLCALL_CONFIG"]
    assert environment(containers["init"])["ROLLCALL_CONFIG"] == configuration
    checked = check_configuration(tmp_path, configuration)
    assert checked.returncode == 0, checked.stderr


def test_the_role_of_the_template_allows_what_rollcalld_needs_and_no_more(tmp_path: Path, stack: Stack) -> None:
    file = tmp_path / "rollcall.yaml"
    file.write_text(environment(stack.containers("ProxyTaskDefinition")["rollcalld"])["ROLLCALL_CONFIG"])
    printed = subprocess.run([paths.ROLLCALLD, "--iam", "-f", str(file)], capture_output=True, text=True, timeout=20, check=True)
    # Whose account it is only the stack knows.
    needed = json.loads(printed.stdout.replace("eu-west-1:*:", "eu-west-1:123456789012:"))
    [policy] = stack.resources["TaskRole"]["Properties"]["Policies"]

    def by_sid(document: dict[str, Any]) -> dict[str, Any]:
        return {statement["Sid"]: statement for statement in document["Statement"]}

    assert by_sid(policy["PolicyDocument"]) == by_sid(needed)


def test_the_containers_of_the_template_can_start_and_stop(stack: Stack) -> None:
    for definition in ("ProxyTaskDefinition", "ExampleTaskDefinition"):
        containers = stack.containers(definition)
        volumes = {volume["Name"] for volume in stack.resources[definition]["Properties"].get("Volumes", [])}
        for container in containers.values():
            assert {mount["SourceVolume"] for mount in container.get("MountPoints", [])} <= volumes
        started: list[str] = []
        while len(started) < len(containers):
            fit = [name for name, container in containers.items() if name not in started
                   and all(other["ContainerName"] in started for other in container.get("DependsOn", []))]
            assert fit, f"{set(containers) - set(started)} wait for each other, or for nobody"
            started += fit
        for name, container in containers.items():
            waits = {other["ContainerName"]: other["Condition"] for other in container.get("DependsOn", [])}
            assert all(condition in ("START", "SUCCESS") for condition in waits.values()), name


def test_the_template_stops_haproxy_first_and_gives_it_its_time(stack: Stack) -> None:
    containers = stack.containers("ProxyTaskDefinition")
    haproxy, rollcalld = containers["haproxy"], containers["rollcalld"]
    assert "rollcalld" in {other["ContainerName"] for other in haproxy["DependsOn"]}
    hard_stop = environment(haproxy)["ROLLCALL_HARD_STOP"]
    assert int(hard_stop.removesuffix("s")) < haproxy["StopTimeout"] <= 120  # Fargate's most
    assert haproxy["Essential"] and not rollcalld["Essential"] and rollcalld["RestartPolicy"]["Enabled"]
    [balanced] = stack.resources["ProxyService"]["Properties"]["LoadBalancers"]
    assert balanced["ContainerName"] in containers
    assert balanced["ContainerPort"] in {mapping["ContainerPort"] for mapping in haproxy["PortMappings"]}
    image = (paths.TOP / "packaging" / "container" / "Dockerfile").read_text()
    for mount in haproxy["MountPoints"] + rollcalld["MountPoints"]:
        assert f'VOLUME ["{mount["ContainerPath"]}"]' in image, "a volume of Fargate's belongs to root otherwise"


def test_haproxy_and_rollcalld_of_the_template_mean_the_same_sockets(stack: Stack) -> None:
    containers = stack.containers("ProxyTaskDefinition")
    configuration = yaml.safe_load(environment(containers["rollcalld"])["ROLLCALL_CONFIG"])["haproxy"]
    command = containers["haproxy"]["Command"]
    assert environment(containers["haproxy"])["ROLLCALL_ADMIN_SOCKET"] == f"ipv4@{configuration['socket']}"
    assert command[command.index("-S") + 1] == f"ipv4@{configuration['master_socket']}"


def test_the_hold_sidecar_of_the_template_holds(stack: Stack) -> None:
    command = stack.containers("ExampleTaskDefinition")["hold"]["Command"]
    assert "sleep 5" in command[-1]
    quick = command[-1].replace("TERM; ", "TERM; echo up; ").replace("sleep 5", "sleep 0.3; echo held")
    held = subprocess.Popen([*command[:-1], quick], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert held.stdout is not None and held.stdout.readline() == "up\n"
        held.send_signal(signal.SIGTERM)
        assert held.stdout.readline() == "held\n"
        assert held.wait(60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(held.pid, signal.SIGKILL)  # the sleep that it left, if it had one, is of its group
        held.wait()
