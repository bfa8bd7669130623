"""ECS's errors: code, HTTP status and text, as the service sends them.

ECS sends nearly every refusal as 400; a client has to go by the code in `__type`.
"""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass
class AwsError(Exception):
    """An answer that is an error envelope."""

    code: str
    message: str
    status: int = 400

    def document(self) -> dict[str, Any]:
        # The front end's own refusals carry the bare code; some of AWS's say "Message", ECS's say "message".
        return {"__type": self.code, "message": self.message}


def access_denied(caller: str, action: str, resource: str, service: str = "ecs") -> AwsError:
    return AwsError("AccessDeniedException",
                    f"User: {caller} is not authorized to perform: {service}:{action} on resource: {resource} "
                    f"because no identity-based policy allows the {service}:{action} action")


def unauthorized_operation(caller: str, action: str) -> AwsError:
    """EC2's own."""
    return AwsError("UnauthorizedOperation",
                    f"You are not authorized to perform this operation. User: {caller} is not authorized to perform: "
                    f"ec2:{action} because no identity-based policy allows the ec2:{action} action", 403)


def request_limit_exceeded() -> AwsError:
    """EC2's throttling."""
    return AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)


def cluster_not_found() -> AwsError:
    return AwsError("ClusterNotFoundException", "Cluster not found.")


def service_not_found() -> AwsError:
    return AwsError("ServiceNotFoundException", "Service not found.")


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def client_error(message: str) -> AwsError:
    return AwsError("ClientException", message)


def throttled() -> AwsError:
    return AwsError("ThrottlingException", "Rate exceeded")


def unknown_operation() -> AwsError:
    return AwsError("UnknownOperationException", "")


def serialization(message: str) -> AwsError:
    return AwsError("SerializationException", message)


def unrecognized_key() -> AwsError:
    return AwsError("UnrecognizedClientException", "The security token included in the request is invalid.")


def expired_token() -> AwsError:
    return AwsError("ExpiredTokenException", "The security token included in the request is expired")


def missing_token() -> AwsError:
    return AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")


def incomplete_signature(message: str) -> AwsError:
    return AwsError("IncompleteSignatureException", message)


def invalid_signature(message: str) -> AwsError:
    return AwsError("InvalidSignatureException", message)


def signature_mismatch() -> AwsError:
    return invalid_signature("The request signature we calculated does not match the signature you provided. "
                             "Check your AWS Secret Access Key and signing method. "
                             "Consult the service documentation for details.")


# What STS's front end calls the same refusals, with its statuses.
_STS_TWINS = {
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 403),
    "AccessDeniedException": ("AccessDenied", 403),
    "ThrottlingException": ("Throttling", 400),
    "UnknownOperationException": ("InvalidAction", 400),
}


def sts_twin(error: AwsError) -> AwsError:
    code, status = _STS_TWINS.get(error.code, (error.code, error.status))
    return AwsError(code, error.message, status)
