"""EC2's protocol: a form comes in, XML goes out, both by botocore's model of the service."""

from __future__ import annotations

import re
import urllib.parse
import uuid
import xml.sax.saxutils
from typing import Any

import botocore.model

from . import errors, shapes

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
_NUMBERED = re.compile(r"([A-Za-z]+)\.(\d+)(?:\.(.+))?")
# Members that AWS has added since the botocore of this machine.
LATER = {"IncludeManagedResources": "boolean"}


def parse(body: bytes) -> tuple[str, dict[str, Any]]:
    """Action and request of a form: `Filter.1.Value.2` is the second value of the first filter."""
    try:
        fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    except (UnicodeDecodeError, ValueError) as error:
        raise errors.AwsError("MalformedQueryString", "The query string is malformed") from error
    action = fields.pop("Action", "")
    if fields.pop("Version", "") != "2016-11-15":
        raise errors.AwsError("InvalidParameterValue", "Version")
    request: dict[str, Any] = {}
    for name, value in fields.items():
        _put(request, name, value)
    return action, {name: _listed(value) if isinstance(value, dict) else value for name, value in request.items()}


def _put(target: dict[Any, Any], name: str, value: str) -> None:
    found = _NUMBERED.fullmatch(name)
    if not found:
        target[name] = int(value) if value.isdigit() else value == "true" if value in ("true", "false") else value
        return
    member, number, rest = found.groups()
    items = target.setdefault({"Filter": "Filters", "InstanceId": "InstanceIds", "Value": "Values"}.get(member, member), {})
    if rest is None:
        items[int(number)] = value
    else:
        _put(items.setdefault(int(number), {}), rest, value)


def _listed(value: Any) -> Any:
    """Numbered items in order, at every depth."""
    if not isinstance(value, dict):
        return value
    if all(isinstance(key, int) for key in value):
        return [_listed(value[number]) for number in sorted(value)]
    return {name: _listed(item) for name, item in value.items()}


def answer(action: str, document: dict[str, Any]) -> bytes:
    """As EC2 writes it: lists of <item>, names by the model."""
    shape = shapes.service_model("ec2").operation_model(action).output_shape
    assert shape is not None
    inner = _structure(shape, document)
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{NAMESPACE}">'
            f"<requestId>{uuid.uuid4()}</requestId>{inner}</{action}Response>").encode()


def _structure(shape: Any, value: dict[str, Any]) -> str:
    return "".join(_element(member.serialization.get("name", name), member, value[name])
                   for name, member in shape.members.items() if name in value)


def _element(name: str, shape: botocore.model.Shape, value: Any) -> str:
    if shape.type_name == "structure":
        inner = _structure(shape, value)
    elif shape.type_name == "list":
        inner = "".join(_element("item", shape.member, item) for item in value)
    elif shape.type_name == "boolean":
        inner = "true" if value else "false"
    else:
        inner = xml.sax.saxutils.escape(str(value))
    return f"<{name}>{inner}</{name}>"


def refusal(error: errors.AwsError) -> bytes:
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{error.code}</Code><Message>'
            f"{xml.sax.saxutils.escape(error.message)}</Message></Error></Errors>"
            f"<RequestID>{uuid.uuid4()}</RequestID></Response>").encode()


def later_faults(request: dict[str, Any]) -> list[str]:
    """What does not fit among the members that this machine's model does not have."""
    return [f"{name}: boolean wanted" for name in LATER if name in request and not isinstance(request[name], bool)]
