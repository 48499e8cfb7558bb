"""Amazon Route 53, through boto3, which is the extra route53.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html (2026-11-26)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...context import Backoff, Context
from ...errors import ArgumentError, DnsError, TosslError, after_change
from ...text import clean
from ..api import CREATING, DELETING, context_of, endpoint_url
from ..hosted import HostedZone, HostedZones, RecordPlace, ascii_name
from ..library import call_library, load_library
from ..provider import Credential, Habits, ProviderAccess
from ..records import RecordSet, add_to_set, remove_from_set

#: boto3 makes its classes while it runs.
_Client = Any
_Answer = dict[str, Any]

#: Seconds; for a value beside others theirs.
TTL_SECONDS = 60

_EXTRA = "route53"
#: Seconds that boto3 may take to connect, and for one answer; its attempts after throttling and 5xx.
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 10, 30, 8
#: Seconds between two looks whether all servers have a change: the first and the longest pause.
_SYNC_PAUSES_SECONDS = (0.5, 5.0)
#: The words of InvalidChangeBatch about a set that is not as it was read.
_CHANGED = re.compile("do not match the current values|it was not found|it already exists")
_DENIED = {
    "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature",
    "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken", "OptInRequired",
    "SignatureDoesNotMatch", "UnrecognizedClientException",
}  # fmt: skip
_NO_ZONE = {"NoSuchHostedZone", "InvalidDomainName"}
_PASSING = {"PriorRequestNotComplete", "RequestTimeout", "ServiceUnavailable", "Throttling", "ThrottlingException"}


class Route53:
    """Writes the whole set of a name's TXT values, only if it is still as it was read, and waits for INSYNC.

    Without an access key boto3 finds credentials by itself: the environment, a profile, a role, the instance's.
    """

    name = "route53"
    credentials = (
        Credential(
            "api_key", "the access key's id; its secret is that of the environment or of a profile", (),
            secret=False, required=False,
        ),
        Credential("access_key_id", "the access key's id", ("AWS_ACCESS_KEY_ID",), secret=False, required=False),
        Credential("secret_access_key", "the access key's secret", ("AWS_SECRET_ACCESS_KEY",), required=False),
        Credential("session_token", "the token of temporary credentials", ("AWS_SESSION_TOKEN",), required=False),
        Credential("aws_profile", "a profile of ~/.aws", ("AWS_PROFILE",), secret=False, required=False),
        Credential("role_arn", "a role to assume", ("AWS_ASSUME_ROLE_ARN",), secret=False, required=False),
        Credential("external_id", "the role's external id", ("AWS_EXTERNAL_ID",), required=False),
        Credential("region", "the region", ("AWS_REGION", "AWS_DEFAULT_REGION"), secret=False, required=False),
        Credential("zone_id", "the hosted zone's id", ("AWS_HOSTED_ZONE_ID",), secret=False, required=False),
        Credential(
            "endpoint", "the URL of another service with this API", ("AWS_ENDPOINT_URL_ROUTE_53", "AWS_ENDPOINT_URL"),
            secret=False, required=False,
        ),
    )  # fmt: skip
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        load_library(self.name, "boto3", _EXTRA)
        self._access = access
        self._given_endpoint = endpoint_url(access.endpoint) if access.endpoint else ""
        self.endpoint = self._given_endpoint or "https://route53.amazonaws.com"
        self._keys = _keys(access.values)
        self._made: _Client = None
        self._zones = HostedZones(self.name, self.endpoint, self._find, access)

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds one TXT value beside the existing ones. Succeeds if the value exists already."""
        with context_of(CREATING):
            sets = _Sets(self)
            with self._zones.locked(context, fqdn) as place:
                add_to_set(context, sets, place, value)
            with after_change():
                self._wait(context, place, sets.change)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Removes this TXT value, or with None every TXT value at the name. Returns the removed values."""
        with context_of(DELETING), self._zones.locked(context, fqdn) as place:
            return remove_from_set(context, _Sets(self), place, value)

    def read(self, context: Context, place: RecordPlace) -> RecordSet:
        """Returns the TXT values at the name."""
        asked = {"StartRecordName": place.fqdn, "StartRecordType": "TXT", "MaxItems": "1"}
        answer = self._call(context, "list_resource_record_sets", HostedZoneId=place.zone.id, **asked)
        for found in answer["ResourceRecordSets"]:
            if found["Type"] == "TXT" and _dns_name(found["Name"]) == place.fqdn:
                if "TTL" not in found or "SetIdentifier" in found:
                    cause = f"the TXT records of {place.fqdn} have an alias or a routing policy; give them a simple one"
                    raise DnsError(self.name, "record", cause)
                return RecordSet(tuple(record["Value"] for record in found["ResourceRecords"]), int(found["TTL"]))
        return RecordSet()

    def write(
        self, context: Context, place: RecordPlace, held: RecordSet, contents: tuple[str, ...]
    ) -> _Answer | None:
        """Replaces the set in one change, which Route 53 refuses whole if the set is not as it was read.

        Returns the change, None if it was refused so.
        """
        changes = []
        if held.contents:
            changes.append(_change("DELETE", place, held.contents, held.ttl))
        if contents:
            # An UPSERT would delete the set a second time, which no batch may.
            changes.append(_change("CREATE", place, contents, held.ttl or TTL_SECONDS))
        batch = {"Comment": "ACME validation", "Changes": changes}
        try:
            answer = self._call(
                context, "change_resource_record_sets", HostedZoneId=place.zone.id, ChangeBatch=batch
            )
        except _SetChanged:
            context.tell("dns_retry", record=place.fqdn, message="the records have changed meanwhile")
            return None
        change: _Answer = answer["ChangeInfo"]
        return change

    def _wait(self, context: Context, place: RecordPlace, change: _Answer | None) -> None:
        """Returns once all of Route 53's servers have the change."""
        backoff = Backoff(*_SYNC_PAUSES_SECONDS)
        while change is not None and change["Status"] != "INSYNC":
            pause = backoff.next()
            context.tell("dns_wait", record=place.fqdn, status=str(change["Status"]), seconds=pause)
            context.sleep(pause, "provider")
            change = self._call(context, "get_change", Id=change["Id"])["ChangeInfo"]

    def _find(self, context: Context, name: str) -> HostedZone | None:
        """Returns the public zone of this name, or of the given zone id."""
        if self._access.zone_id:
            return HostedZone("", self._access.zone_id)
        asked = {"DNSName": name, "MaxItems": "100"}
        found = [
            zone["Id"].rpartition("/")[2]
            for zone in self._call(context, "list_hosted_zones_by_name", **asked)["HostedZones"]
            if _dns_name(zone["Name"]) == name and not zone.get("Config", {}).get("PrivateZone")
        ]
        if len(found) > 1:
            cause = f"there are {len(found)} public zones {name} ({', '.join(found)}): give the zone_id of one"
            raise DnsError(self.name, "zone", cause)
        return HostedZone(name, found[0]) if found else None

    def _call(self, context: Context, operation: str, **arguments: object) -> _Answer:
        """Returns the answer to one request. Raises DnsError, _SetChanged, WaitTimeout or Cancelled."""

        def work() -> _Answer:
            answer: _Answer = getattr(self._client(), operation)(**arguments)
            return answer

        import botocore.exceptions

        try:
            return call_library(context, "boto3", work)
        except botocore.exceptions.ClientError as error:
            raise self._refusal(error.response) from None
        except TosslError:
            raise
        except Exception as error:  # noqa: BLE001 - boto3's errors have no common base
            raise self._failure(error) from None

    def _client(self) -> _Client:
        if self._made is None:
            self._made = self._new_client()
        return self._made

    def _new_client(self) -> _Client:
        import botocore.config

        given = self._access.values
        connection = self._access.connection
        config = botocore.config.Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            proxies=connection.proxies(self.endpoint) or None,
        )
        trust = connection.trust()
        verify = trust.file() if trust else False
        options = {"config": config, "verify": verify, "region_name": given["region"] or "us-east-1"}
        session = _session(self._keys)
        if given["role_arn"]:
            role = {"RoleArn": given["role_arn"], "RoleSessionName": "tossl"}
            role |= {"ExternalId": given["external_id"]} if given["external_id"] else {}
            keys = session.client("sts", **options).assume_role(**role)["Credentials"]
            session = _session({
                "aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            })  # fmt: skip
        return session.client("route53", endpoint_url=self._given_endpoint or None, **options)

    def _refusal(self, response: _Answer) -> DnsError:
        said = response.get("Error", {})
        code = str(said.get("Code", "error"))
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        # The words of InvalidChangeBatch are in messages.
        words = str(said.get("Message") or "; ".join(map(str, response.get("messages", []))) or "no reason given")
        kind = (
            "credentials" if code in _DENIED
            else "zone" if code in _NO_ZONE
            else "answer" if code in _PASSING or (isinstance(status, int) and status >= 500)
            else "refused"
        )  # fmt: skip
        cause = f"Route 53 answered {status}: {clean(self._access.hidden(words), 300)} ({clean(code, 60)})"
        has_changed = code == "InvalidChangeBatch" and _CHANGED.search(words)
        error = (_SetChanged if has_changed else DnsError)(self.name, kind, cause)
        error.details["status"] = status
        return error

    def _failure(self, error: Exception) -> DnsError:
        """Returns the error for what boto3 could not send: no credentials, no connection."""
        kind = "credentials" if "Credential" in type(error).__name__ or "Profile" in type(error).__name__ else "answer"
        return DnsError(self.name, kind, f"boto3 failed: {clean(self._access.hidden(str(error)), 300)}")


class _Sets:
    """The sets of one call, which remembers its last change: removing waits for none."""

    name = Route53.name

    def __init__(self, provider: Route53) -> None:
        self._provider = provider
        self.change: _Answer | None = None

    def read(self, context: Context, place: RecordPlace) -> RecordSet:
        return self._provider.read(context, place)

    def write(self, context: Context, place: RecordPlace, held: RecordSet, contents: tuple[str, ...]) -> None:
        self.change = self._provider.write(context, place, held, contents) or self.change


class _SetChanged(DnsError):
    """The set is not as it was read."""


def _session(keys: Mapping[str, str]) -> Any:
    import boto3
    import botocore.session

    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    return boto3.Session(botocore_session=session, **keys)


@functools.cache
def _loader() -> Any:
    """Returns the reader of the services' descriptions, which keeps them: they are large."""
    import botocore.loaders

    return botocore.loaders.create_loader()


def _keys(given: Mapping[str, str]) -> dict[str, str]:
    """Returns the arguments of boto3's session. Raises ArgumentError if the id's secret is nowhere."""
    key_id = given["api_key"] or given["access_key_id"]
    profile = {"profile_name": given["aws_profile"]} if given["aws_profile"] else {}
    if not key_id:
        return profile
    secret, token = given["secret_access_key"], given["session_token"]
    for found in () if secret else _profiles():
        if found.get("aws_access_key_id") == key_id:
            secret, token = found.get("aws_secret_access_key", ""), found.get("aws_session_token", "")
            break
    if not secret:
        cause = "give secret_access_key beside it, AWS_SECRET_ACCESS_KEY in the environment, or a profile that has it"
        raise ArgumentError("secret_access_key", f"route53 has no secret for the access key's id: {cause}")
    keys = {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
    return keys | ({"aws_session_token": token} if token else {})


def _profiles() -> Iterator[dict[str, str]]:
    """Yields the profiles in the AWS configuration."""
    import botocore.exceptions
    import botocore.session

    try:
        yield from botocore.session.Session().full_config.get("profiles", {}).values()
    except (botocore.exceptions.BotoCoreError, OSError, ValueError):
        raise ArgumentError("aws_profile", "the AWS configuration cannot be read") from None


def _change(action: str, place: RecordPlace, contents: tuple[str, ...], ttl: int) -> dict[str, object]:
    records = [{"Value": content} for content in contents]
    record_set = {"Name": place.fqdn, "Type": "TXT", "TTL": ttl, "ResourceRecords": records}
    return {"Action": action, "ResourceRecordSet": record_set}


def _dns_name(name: str) -> str:
    """Returns a name as the DNS has it: Route 53 escapes some characters in octal."""
    return ascii_name(name.replace("\\052", "*"))


PROVIDER = Route53
