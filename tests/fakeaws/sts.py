"""STS's calls: roles assumed by keys and by web identities, and who one is.

A role trusts callers by globs on their ARNs; the keys of a session end after the role's `lifetime`, which
may be shorter than the 900 s that AWS allows, so that a test sees an end.
"""

from __future__ import annotations

import fnmatch
import secrets
import time
from typing import Any, Callable

from . import errors
from .world import Key, Role, World

Document = dict[str, Any]


def caller_arn(key: Key) -> str:
    """As AWS writes it: a user's, or a role's session."""
    if key.user.startswith("assumed-role/"):
        return f"arn:aws:sts::{key.account}:{key.user}"
    return f"arn:aws:iam::{key.account}:user/{key.user}"


def stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def open_session(world: World, role: Role, name: str, lifetime: float | None = None) -> Key:
    """A key of the role, known from now on."""
    end = world.now() + (role.lifetime if lifetime is None else lifetime)
    # Secrets and tokens as AWS's are: in base64's alphabet, padding too.
    key = Key(f"ASIA{secrets.token_hex(8).upper()}", f"tmp/{secrets.token_hex(12)}+key", f"{secrets.token_hex(40)}/+==",
              role.account, f"assumed-role/{role.name}/{name}", expires_at=end)
    world.keys[key.access_key_id] = key
    return key


def _credentials(key: Key) -> Document:
    return {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key,
            "SessionToken": key.session_token, "Expiration": stamp(key.expires_at or 0)}


def _answer(world: World, role: Role, request: Document) -> Document:
    name = request["RoleSessionName"]
    key = open_session(world, role, name)
    return {"Credentials": _credentials(key),
            "AssumedRoleUser": {"AssumedRoleId": f"AROAEXAMPLE:{name}",
                                "Arn": f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}"},
            "PackedPolicySize": 6}


def assume_role(world: World, key: Key | None, request: Document) -> Document:
    role = world.roles.get(request["RoleArn"])
    caller = caller_arn(key) if key else ""
    trusted = role is not None and any(fnmatch.fnmatchcase(caller, pattern) for pattern in role.trusts)
    if role is None or not trusted or (role.external_id and request.get("ExternalId") != role.external_id):
        raise errors.AwsError("AccessDenied", f"User: {caller} is not authorized to perform: sts:AssumeRole on "
                                              f"resource: {request['RoleArn']}", 403)
    role.assumed.append({"by": caller, "session": request["RoleSessionName"],
                         "external_id": request.get("ExternalId", ""), "duration": request.get("DurationSeconds")})
    return _answer(world, role, request)


def assume_role_with_web_identity(world: World, _key: Key | None, request: Document) -> Document:
    role = world.roles.get(request["RoleArn"])
    if role is None or not role.web_token:
        raise errors.AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
    if request["WebIdentityToken"] != role.web_token:
        raise errors.AwsError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.", 400)
    role.assumed.append({"by": "web identity", "session": request["RoleSessionName"]})
    answer = _answer(world, role, request)
    return {**answer, "Provider": "arn:aws:iam::123456789012:oidc-provider/example", "Audience": "sts.amazonaws.com",
            "SubjectFromWebIdentityToken": "system:serviceaccount:default:rollcall"}


def get_caller_identity(_world: World, key: Key | None, _request: Document) -> Document:
    assert key is not None
    return {"UserId": f"AIDA{key.access_key_id[4:]}", "Account": key.account, "Arn": caller_arn(key)}


ACTIONS: dict[str, Callable[[World, Key | None, Document], Document]] = {
    "AssumeRole": assume_role,
    "AssumeRoleWithWebIdentity": assume_role_with_web_identity,
    "GetCallerIdentity": get_caller_identity,
}

# These carry their proof in the body, and no signature.
UNSIGNED = frozenset({"AssumeRoleWithWebIdentity"})
