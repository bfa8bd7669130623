"""Holds requests and answers against botocore's own model of ECS.

The fake must not teach a client a dialect that AWS does not speak. So every answer is walked through the
service model before it leaves (what does not fit is this server's own fault), and every request before it
is carried out. botocore's validator is made for Python arguments: it takes a date for a time and a unicode
string for anything; what is judged here is JSON, so the walk is our own.
"""

from __future__ import annotations

import functools
from typing import Any, Iterator

import botocore.loaders
import botocore.model


# Members, and where they stand, that AWS has added since the botocore of Debian 12: strings.
LATER = {"containerPortRange": "PortMapping", "hostPortRange": "PortMapping"}


@functools.lru_cache(maxsize=None)
def service_model(service: str = "ecs") -> botocore.model.ServiceModel:
    loaded = botocore.loaders.Loader().load_service_model(service, "service-2")
    return botocore.model.ServiceModel(loaded, service)


def operation_names(service: str = "ecs") -> frozenset[str]:
    return frozenset(service_model(service).operation_names)


def request_faults(action: str, document: Any, service: str = "ecs") -> list[str]:
    """What in a request does not fit the action's input shape; empty when all fits."""
    shape = service_model(service).operation_model(action).input_shape
    return list(_walk(shape, document, action))


def answer_faults(action: str, document: Any, service: str = "ecs") -> list[str]:
    """What in an answer does not fit the action's output shape; empty when all fits."""
    shape = service_model(service).operation_model(action).output_shape
    return list(_walk(shape, document, action))


def faults_of(shape_name: str, document: Any) -> list[str]:
    """The same for any shape of the model by its name."""
    return list(_walk(service_model().shape_for(shape_name), document, shape_name))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_SCALARS = {
    "string": lambda value: isinstance(value, str),
    "character": lambda value: isinstance(value, str),
    "blob": lambda value: isinstance(value, str),  # base64 in JSON
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "long": _is_integer,
    "float": _is_number,
    "double": _is_number,
    "timestamp": _is_number,  # epoch seconds in JSON 1.1
}


def _walk(shape: botocore.model.Shape | None, value: Any, path: str) -> Iterator[str]:
    if shape is None:
        if value not in ({}, None):
            yield f"{path}: the action has no members"
    elif shape.type_name == "structure":
        yield from _walk_structure(shape, value, path)
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield _wrong_type(path, "list", value)
            return
        for index, item in enumerate(value):
            yield from _walk(shape.member, item, f"{path}[{index}]")
    elif shape.type_name == "map":
        if not isinstance(value, dict):
            yield _wrong_type(path, "map", value)
            return
        for key, item in value.items():
            yield from _walk(shape.value, item, f"{path}.{key}")
    elif not _SCALARS[shape.type_name](value):
        yield _wrong_type(path, shape.type_name, value)
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path}: {value!r} is none of {', '.join(shape.enum)}"


def _walk_structure(shape: botocore.model.StructureShape, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _wrong_type(path, "structure", value)
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{path}.{name}: required, and missing"
    for name, item in value.items():
        if name not in shape.members and LATER.get(name) == shape.name.replace("NetworkBinding", "PortMapping"):
            if not isinstance(item, str):
                yield _wrong_type(f"{path}.{name}", "string", item)
        elif name not in shape.members:
            yield f"{path}.{name}: unknown member"
        else:
            yield from _walk(shape.members[name], item, f"{path}.{name}")


def _wrong_type(path: str, wanted: str, value: Any) -> str:
    return f"{path}: {wanted} wanted, {type(value).__name__} found"
