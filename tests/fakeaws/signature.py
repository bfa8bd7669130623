"""SigV4: each request's signature is recomputed with botocore's signer from what came over the wire.

botocore is the reference that every other client is measured against, so a request it agrees with is a
request AWS accepts. The order of the checks, and the texts, are those of AWS's front end: form first, then
scope, time, key, signature, and last whether the temporary key has expired.
"""

from __future__ import annotations

import calendar
import dataclasses
import datetime
import hashlib
import hmac
import re
import time
from email.message import Message

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from . import errors
from .world import Key

WINDOW_SECONDS = 300
SERVICES = ("ecs", "ec2", "ssm", "sqs")
_STAMP = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256\s+(.*)")

# Headers that have to be under the signature whenever they are sent; all of x-amz-* beside.
_MUST_BE_SIGNED = {"host", "content-type"}


@dataclasses.dataclass
class Claim:
    """What the Authorization header says about itself."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    signed_headers: list[str]
    signature: str


class _WireAuth(SigV4Auth):
    """botocore's signer over exactly the headers that the client says it signed.

    The original leaves out some headers by name (user-agent, expect); a client may sign them all the same.
    """

    def __init__(self, key: Key, claim: Claim) -> None:
        super().__init__(Credentials(key.access_key_id, key.secret_access_key), claim.service, claim.region)
        self._names = claim.signed_headers

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        chosen = HTTPHeaders()
        for name in self._names:
            for value in request.headers.get_all(name, []):
                chosen[name] = value
        return chosen


def access_key_of(headers: Message) -> str:
    """The key id a request names, for the log; empty if it names none."""
    found = re.search(r"Credential=([^/,\s]+)/", headers.get("Authorization", ""))
    return found.group(1) if found else ""


def service_of(headers: Message) -> str:
    """The service that a request is signed for; ECS where that cannot be told."""
    found = re.search(r"Credential=[^,\s]*/([a-z0-9]+)/aws4_request", headers.get("Authorization", ""))
    return found.group(1) if found and found.group(1) in SERVICES else "ecs"


def verify(method: str, target: str, headers: Message, body: bytes, keys: dict[str, Key], region: str,
           now: float, service: str = "ecs") -> Key:
    """The key that signed this request; raises AwsError as AWS would answer."""
    claim = _parse_claim(headers)
    stamp = _stamp_of(headers)
    _check_scope(claim, stamp, region, service)
    _check_signed_headers(claim, headers)
    key = keys.get(claim.access_key_id)
    if key is None:
        raise errors.unrecognized_key()
    _check_time(stamp, now)
    if headers.get("X-Amz-Security-Token", "") != key.session_token:
        # The same answer for no token, a wrong one, and one that a permanent key does not have.
        raise errors.unrecognized_key()
    _check_signature(method, target, headers, body, key, claim, stamp)
    if key.has_ended(now):
        raise errors.expired_token()
    return key


def _parse_claim(headers: Message) -> Claim:
    values: list[str] = headers.get_all("Authorization", [])
    if len(values) != 1:
        raise errors.missing_token()
    found = _AUTHORIZATION.fullmatch(values[0].strip())
    if not found:
        raise errors.incomplete_signature(f"Authorization header is not AWS4-HMAC-SHA256. Authorization={values[0]}")
    parts = dict(part.strip().partition("=")[::2] for part in found.group(1).split(","))
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]
    if missing:
        raise errors.incomplete_signature(
            " ".join(f"Authorization header requires '{name}' parameter." for name in missing))
    scope = parts["Credential"].split("/")
    if len(scope) != 5:
        raise errors.incomplete_signature("Credential must have exactly 5 slash-delimited elements, e.g. "
                                          "keyid/date/region/service/term, "
                                          f"got '{parts['Credential']}'")
    key_id, date, region, service, terminator = scope
    return Claim(key_id, date, region, service, terminator, parts["SignedHeaders"].split(";"), parts["Signature"])


def _stamp_of(headers: Message) -> str:
    stamps: list[str] = headers.get_all("X-Amz-Date", [])
    if len(stamps) != 1 or not re.fullmatch(r"\d{8}T\d{6}Z", stamps[0]):
        raise errors.incomplete_signature("Date must be in ISO-8601 'basic format'. Got "
                                          f"'{', '.join(stamps)}'.")
    return stamps[0]


def _check_scope(claim: Claim, stamp: str, region: str, service: str) -> None:
    if claim.region != region:
        raise errors.invalid_signature(f"Credential should be scoped to a valid region, not '{claim.region}'. ")
    if claim.service != service:
        raise errors.invalid_signature(f"Credential should be scoped to correct service: '{service}'. ")
    if claim.terminator != "aws4_request":
        raise errors.invalid_signature("Credential should be scoped with a valid terminator: 'aws4_request', "
                                       f"not '{claim.terminator}'. ")
    if claim.date != stamp[:8]:
        raise errors.invalid_signature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version "
                                       f"of date from HTTP: '{claim.date}' != '{stamp[:8]}', from '{stamp}'.")


def _check_signed_headers(claim: Claim, headers: Message) -> None:
    sent = {name.lower() for name in headers.keys()}
    needed = {name for name in sent if name in _MUST_BE_SIGNED or name.startswith("x-amz-")} | {"host"}
    for name in sorted(needed - set(claim.signed_headers)):
        shown = "-".join(word.capitalize() for word in name.split("-"))
        raise errors.invalid_signature(f"'{shown}' must be a 'SignedHeader' in the AWS Authorization.")
    if claim.signed_headers != sorted(set(claim.signed_headers)) or not set(claim.signed_headers) <= sent:
        raise errors.signature_mismatch()


def _check_time(stamp: str, now: float) -> None:
    try:
        signed_at = calendar.timegm(datetime.datetime.strptime(stamp, _STAMP).timetuple())
    except ValueError as error:
        raise errors.incomplete_signature(f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.") from error

    def shown(seconds: float) -> str:
        return time.strftime(_STAMP, time.gmtime(seconds))

    if signed_at < now - WINDOW_SECONDS:
        raise errors.invalid_signature(f"Signature expired: {stamp} is now earlier than "
                                       f"{shown(now - WINDOW_SECONDS)} ({shown(now)} - 5 min.)")
    if signed_at > now + WINDOW_SECONDS:
        raise errors.invalid_signature(f"Signature not yet current: {stamp} is still later than "
                                       f"{shown(now + WINDOW_SECONDS)} ({shown(now)} + 5 min.)")


def _check_signature(method: str, target: str, headers: Message, body: bytes, key: Key, claim: Claim,
                     stamp: str) -> None:
    claimed_hash = headers.get("X-Amz-Content-Sha256")
    if claimed_hash is not None and claimed_hash != hashlib.sha256(body).hexdigest():
        raise errors.signature_mismatch()
    request = AWSRequest(method=method, url=f"http://{headers.get('Host', '')}{target}", data=body)
    for name, value in headers.items():
        request.headers.add_header(name, value)
    request.context["timestamp"] = stamp
    signer = _WireAuth(key, claim)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    if not hmac.compare_digest(signer.signature(to_sign, request), claim.signature):
        raise errors.signature_mismatch()
