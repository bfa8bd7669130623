"""AWS's query protocol as STS and SNS speak it (EC2's dialect is in query): forms in, XML out, by botocore's model.

Requests and answers are the same documents as those of the JSON services. What is sent is read back with
botocore's own parser: if a real SDK would not see the same answer, that is this server's own fault.
"""

from __future__ import annotations

import urllib.parse
import xml.sax.saxutils
from typing import Any, Iterator

import botocore.model
import botocore.parsers

from . import shapes

CONTENT_TYPE = "application/x-www-form-urlencoded"
ANSWER_TYPE = "text/xml;charset=utf-8"

# By what a form says of the API's version.
SERVICES = {"2011-06-15": "sts", "2010-03-31": "sns"}


def form_of(body: bytes) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def service_of(form: dict[str, str]) -> str:
    """Empty: none that we know."""
    return SERVICES.get(form.get("Version", ""), "")


# Requests

def request_of(service: str, action: str, form: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The request as a document, and the parameters that the model does not know."""
    left = {name: value for name, value in form.items() if name not in ("Action", "Version")}
    shape = shapes.service_model(service).operation_model(action).input_shape
    document = _read(shape, "", left) if shape else {}
    return document or {}, [f"{action}.{name}: unknown parameter" for name in left]


def _read(shape: botocore.model.Shape, prefix: str, left: dict[str, str]) -> Any:
    if shape.type_name == "structure":
        found = {}
        for member, inner in shape.members.items():
            name = inner.serialization.get("name", member)
            value = _read(inner, f"{prefix}.{name}" if prefix else name, left)
            if value is not None:
                found[member] = value
        return found or None
    if shape.type_name == "list":
        base = prefix if shape.serialization.get("flattened") else f"{prefix}.member"
        items = []
        while (item := _read(shape.member, f"{base}.{len(items) + 1}", left)) is not None:
            items.append(item)
        return items or None
    if shape.type_name == "map":
        entries = {}
        while (key := left.pop(f"{prefix}.entry.{len(entries) + 1}.key", None)) is not None:
            entries[key] = _read(shape.value, f"{prefix}.entry.{len(entries) + 1}.value", left)
        return entries or None
    text = left.pop(prefix, None)
    if text is None or shape.type_name in ("string", "timestamp", "blob"):
        return text
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return int(text) if text.lstrip("-").isdigit() else text


# Answers

def answer_of(service: str, action: str, document: dict[str, Any], request_id: str) -> bytes:
    operation = shapes.service_model(service).operation_model(action)
    inside = "".join(_write(operation.output_shape, document)) if operation.output_shape else ""
    namespace = operation.service_model.metadata["xmlNamespace"]
    return (f'<{action}Response xmlns="{namespace}"><{action}Result>{inside}</{action}Result>'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>").encode()


def _write(shape: botocore.model.StructureShape, document: dict[str, Any]) -> Iterator[str]:
    for member, value in document.items():
        inner = shape.members[member]
        name = inner.serialization.get("name", member)
        yield f"<{name}>{''.join(_value(inner, value))}</{name}>"


def _value(shape: botocore.model.Shape, value: Any) -> Iterator[str]:
    if shape.type_name == "structure":
        yield from _write(shape, value)
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        for item in value:
            yield f"<{name}>{''.join(_value(shape.member, item))}</{name}>"
    elif isinstance(value, bool):
        yield str(value).lower()
    else:
        yield xml.sax.saxutils.escape(str(value))


def answer_faults(service: str, action: str, document: dict[str, Any], body: bytes) -> list[str]:
    """Where botocore reads another answer than was meant."""
    operation = shapes.service_model(service).operation_model(action)
    parser = botocore.parsers.create_parser("query")
    seen = parser.parse({"status_code": 200, "headers": {}, "body": body}, operation.output_shape)
    seen.pop("ResponseMetadata", None)
    return list(_differences(document, seen, action))


def _differences(meant: Any, seen: Any, path: str) -> Iterator[str]:
    if isinstance(meant, dict) and isinstance(seen, dict):
        for name in sorted(set(meant) | set(seen)):
            yield from _differences(meant.get(name), seen.get(name), f"{path}.{name}")
    elif isinstance(meant, list) and isinstance(seen, list) and len(meant) == len(seen):
        for index, (one, other) in enumerate(zip(meant, seen)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif hasattr(seen, "isoformat"):
        if seen.strftime("%Y-%m-%dT%H:%M:%SZ") != meant:
            yield f"{path}: {meant!r} is read as {seen}"
    elif meant != seen and (meant or seen):
        yield f"{path}: {meant!r} is read as {seen!r}"


def error_of(service: str, code: str, message: str, status: int, request_id: str) -> bytes:
    text, kind = xml.sax.saxutils.escape(message), "Sender" if status < 500 else "Receiver"
    return (f'<ErrorResponse xmlns="https://{service}.amazonaws.com/doc/"><Error><Type>{kind}</Type>'
            f"<Code>{code}</Code><Message>{text}</Message></Error><RequestId>{request_id}</RequestId>"
            "</ErrorResponse>").encode()
