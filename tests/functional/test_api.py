"""Every answer of the control interface is as docs/openapi.json describes it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from conftest import Aws
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld

jsonschema = pytest.importorskip("jsonschema")
pytestmark = pytest.mark.one_haproxy

SERVICE = {"cluster": "main", "service": "rng-service"}


def without_more(schema: Any) -> Any:
    """The same, where no object has a field that the document does not name."""
    if isinstance(schema, list):
        return [without_more(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: without_more(value) for name, value in schema.items()}
    return {"additionalProperties": False, **strict} if "properties" in strict and strict.get("type") == "object" else strict


def check(document: dict[str, Any], path: str, method: str, status: int, body: Any) -> None:
    responses = document["paths"][path][method.lower()]["responses"]
    assert str(status) in responses, f"{method} {path} answers {status}"
    schema = {**responses[str(status)]["content"]["application/json"]["schema"], "components": document["components"]}
    found = jsonschema.Draft202012Validator(without_more(schema)).iter_errors(body)
    wrong = [f"{error.json_path}: {error.message}" for error in found]
    assert not wrong, f"{method} {path}: {wrong}"


def test_each_answer_is_as_the_document_says(aws: Aws, rollcalld: Rollcalld) -> None:
    document = json.loads((paths.TOP / "docs" / "openapi.json").read_text())
    task, server = aws.control.running(**SERVICE)[0], rollcalld.servers("grpc")[0]["name"]
    aws.control.register(family="lonely", drain=0.0)
    aws.control.create_service(cluster="main", service="lonely", desired=1, definition="lonely")
    aws.control.wait_steady("main", "lonely")
    values = {"{backend}": "grpc", "{server}": server, "{task}": quote(task["arn"], safe="")}
    queries = {"/v1/route": "?host=a.example", "/v1/log": "?level=info",
               "/v1/servers/{backend}/{server}/weight": "?weight=7&for=5m"}
    seen = 0
    for path, methods in document["paths"].items():
        for method in methods:
            target = path
            for name, value in values.items():
                target = target.replace(name, value)
            status, text = rollcalld.request(method.upper(), target + queries.get(path, ""))
            if path in ("/", "/metrics"):
                assert status == 200
                continue
            check(document, path, method, status, json.loads(text))
            seen += 1
    assert seen > 20
    for path, target, status in (("/v1/tasks/{task}", "/v1/tasks/00000000", 404), ("/v1/route", "/v1/route", 400),
                                 ("/v1/events", "/v1/events?since=x", 400), ("/v1/log", "/v1/log?level=x", 400),
                                 ("/v1/backends/{backend}", "/v1/backends/nobody", 404)):
        method = next(iter(document["paths"][path]))
        got, text = rollcalld.request(method.upper(), target)
        assert got == status
        check(document, path, method, got, json.loads(text))
