"""The messages of rng.proto and of grpc.health.v1, built at import time.

Generated code would need protoc at build time and would be tied to one version of the protobuf runtime;
a descriptor written out here works with every version that Debian ships.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = descriptor_pb2.FieldDescriptorProto

NEXT = "/rng.Rng/Next"
STREAM = "/rng.Rng/Stream"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"

# grpc.health.v1.HealthCheckResponse.ServingStatus
SERVING = 1
NOT_SERVING = 2
SERVICE_UNKNOWN = 3

_RANGE = [("min", 1, Field.TYPE_INT64), ("max", 2, Field.TYPE_INT64), ("call_id", 3, Field.TYPE_STRING)]

RNG_MESSAGES: dict[str, list[tuple[str, int, int]]] = {
    "Range": [*_RANGE, ("delay_ms", 4, Field.TYPE_INT32)],
    "StreamRange": [*_RANGE, ("count", 4, Field.TYPE_INT32), ("interval_ms", 5, Field.TYPE_INT32)],
    "Number": [("value", 1, Field.TYPE_INT64), ("task", 2, Field.TYPE_STRING)],
}

# ServingStatus is an enum; on the wire that is the same as int32, and this is all that is needed of it.
HEALTH_MESSAGES: dict[str, list[tuple[str, int, int]]] = {
    "HealthCheckRequest": [("service", 1, Field.TYPE_STRING)],
    "HealthCheckResponse": [("status", 1, Field.TYPE_INT32)],
}


def _file(name: str, package: str, messages: dict[str, list[tuple[str, int, int]]]
          ) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for field_name, number, kind in fields:
            message.field.add(name=field_name, number=number, type=kind, label=Field.LABEL_OPTIONAL)
    return file


# A pool of our own: another module of the process may define grpc.health.v1 in the default pool.
_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file("rng.proto", "rng", RNG_MESSAGES))
_pool.Add(_file("health.proto", "grpc.health.v1", HEALTH_MESSAGES))


def _message_class(full_name: str) -> Any:
    descriptor = _pool.FindMessageTypeByName(full_name)
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and later
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(_pool).GetPrototype(descriptor)


Range = _message_class("rng.Range")
StreamRange = _message_class("rng.StreamRange")
Number = _message_class("rng.Number")
HealthCheckRequest = _message_class("grpc.health.v1.HealthCheckRequest")
HealthCheckResponse = _message_class("grpc.health.v1.HealthCheckResponse")


def serialize(message: Any) -> bytes:
    """Any of the messages above to its bytes, in the form that grpcio wants a serializer."""
    return message.SerializeToString()
