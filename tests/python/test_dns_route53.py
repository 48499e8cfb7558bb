"""route53 against moto's server."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.servers.route53 import Route53
from tossl_acme.context import Context
from tossl_acme.dns import hosted, library
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.provider import Provider
from tossl_acme.dns.published import PublishedRecords
from tossl_acme.dns.registry import open_provider
from tossl_acme.errors import ArgumentError, Cancelled, DnsError, WaitTimeout
from tossl_acme.text import Secret

NAME = "_acme-challenge.example.com"
VALUE = "v" * 43
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture(scope="module")
def server() -> Iterator[Route53]:
    with Route53() as started:
        yield started


@pytest.fixture(scope="module")
def aws(server: Route53) -> Any:
    """Another program's client."""
    return client_of(server)


def client_of(server: Route53) -> Any:
    session = boto3.Session("another", "secret", region_name="us-east-1")
    return session.client("route53", endpoint_url=server.url)


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(hosted, "zone_name", lambda *_: None)  # nobody is asked


def zone(aws: Any, name: str, **options: Any) -> str:
    made = aws.create_hosted_zone(Name=name, CallerReference=f"{name}{options}{threading.get_native_id()}", **options)
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


@pytest.fixture(scope="module")
def example(aws: Any) -> str:
    return zone(aws, "example.com")


def options(server: Route53, **given: str) -> ProviderOptions:
    words = given or {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}
    return ProviderOptions("route53", {f: Secret(v) for f, v in words.items()}, endpoint=server.url)


def provider(server: Route53, **given: str) -> Provider:
    return open_provider(options(server, **given))


def values(aws: Any, zone_id: str, name: str = NAME) -> list[str]:
    found = aws.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    return [record["Value"] for one in found if one["Name"] == f"{name}." and one["Type"] == "TXT"
            for record in one["ResourceRecords"]]  # fmt: skip


def put(aws: Any, zone_id: str, *contents: str, name: str = NAME, ttl: int = 7, action: str = "UPSERT") -> None:
    records = [{"Value": content} for content in contents]
    one = {"Name": name, "Type": "TXT", "TTL": ttl, "ResourceRecords": records}
    changes = {"Changes": [{"Action": action, "ResourceRecordSet": one}]}
    aws.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=changes)


def test_values_live_side_by_side_and_go_one_by_one(
    server: Route53, aws: Any, example: str, context: Context
) -> None:
    put(aws, example, '"of somebody" " else"')
    mine = provider(server)
    mine.publish(context, NAME, VALUE)
    provider(server).publish(context, NAME, "second")
    mine.publish(context, NAME, VALUE)  # it is there already
    assert values(aws, example) == ['"of somebody" " else"', f'"{VALUE}"', '"second"']
    assert mine.remove(context, NAME, VALUE) == [VALUE]
    assert mine.remove(context, NAME, VALUE) == []
    assert values(aws, example) == ['"of somebody" " else"', '"second"']
    assert mine.remove(context, NAME, None) == ["of somebody else", "second"]
    assert values(aws, example) == []


def test_many_at_once_at_one_name(server: Route53, aws: Any, example: str, context: Context) -> None:
    name = f"_acme-challenge.many.{'example.com'}"
    mine = provider(server)
    wanted = [f"value{number}" for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda value: mine.publish(context, name, value), wanted))
    assert sorted(values(aws, example, name)) == [f'"{value}"' for value in wanted]
    assert sorted(mine.remove(context, name, None)) == wanted


class Steps:
    """What is told meanwhile."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def __call__(self, step: dict[str, object]) -> None:
        self.steps.append(str(step["step"]))


def test_a_set_that_changes_meanwhile_is_read_again(
    server: Route53, aws: Any, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other program put there stays."""
    name = "_acme-challenge.race.example.com"
    put(aws, example, '"old"', name=name)
    told = Steps()
    context = Context(20).begin(listener=told)
    mine = provider(server)
    kind = type(mine)
    read, left = kind.read, iter(["meddle"])  # type: ignore[attr-defined]

    def meddling(self: Any, *arguments: Any) -> Any:
        found = read(self, *arguments)
        if next(left, ""):
            put(aws, example, '"old"', '"new"', name=name)
        return found

    monkeypatch.setattr(kind, "read", meddling)
    mine.publish(context, name, VALUE)
    assert values(aws, example, name) == ['"old"', '"new"', f'"{VALUE}"']
    assert told.steps == ["dns_retry"]
    left = iter(["meddle"])
    assert mine.remove(context, name, VALUE) == [VALUE]
    assert values(aws, example, name) == ['"old"', '"new"']
    put(aws, example, '"old"', '"new"', name=name, action="DELETE")


def test_the_ttl_of_others_stays(server: Route53, aws: Any, example: str, context: Context) -> None:
    name = "_acme-challenge.ttl.example.com"
    put(aws, example, '"theirs"', name=name, ttl=3600)
    provider(server).publish(context, name, VALUE)
    provider(server).remove(context, name, VALUE)
    put(aws, example, '"theirs"', name=name, ttl=3600, action="DELETE")  # refused with another TTL


def test_the_longest_public_zone(server: Route53, aws: Any, example: str, context: Context) -> None:
    sub = zone(aws, "sub.example.com")
    vpc = {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}
    private = zone(aws, "in.sub.example.com", VPC=vpc, HostedZoneConfig={"PrivateZone": True})
    name = "_acme-challenge.in.sub.example.com"
    provider(server).publish(context, name, VALUE)
    assert values(aws, sub, name) == [f'"{VALUE}"']
    assert values(aws, private, name) == values(aws, example, name) == []
    assert provider(server).remove(context, name, VALUE) == [VALUE]


def test_two_public_zones_of_a_name_want_an_id(server: Route53, aws: Any, context: Context) -> None:
    zones = [zone(aws, "twice.test", HostedZoneConfig={"Comment": comment, "PrivateZone": False}) for comment in "ab"]
    name = "_acme-challenge.twice.test"
    with pytest.raises(DnsError) as caught:
        provider(server).publish(context, name, VALUE)
    assert caught.value.errorcode == ("TOSSL", "DNS", "route53", "zone")
    assert all(one in caught.value.message for one in zones)
    chosen = open_provider(ProviderOptions("route53", options(server).credentials, zones[1], server.url))
    chosen.publish(context, name, VALUE)
    assert values(aws, zones[0], name) == []
    assert values(aws, zones[1], name) == [f'"{VALUE}"']
    assert chosen.remove(context, name, None) == [VALUE]


def test_no_zone(server: Route53, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        provider(server).publish(context, "_acme-challenge.elsewhere.test", VALUE)
    assert caught.value.errorcode == ("TOSSL", "DNS", "route53", "zone")
    unknown = open_provider(ProviderOptions("route53", options(server).credentials, "Z0", server.url))
    with pytest.raises(DnsError) as caught:
        unknown.publish(context, NAME, VALUE)
    assert caught.value.errorcode == ("TOSSL", "DNS", "route53", "zone")
    assert "Route 53 answered 404: " in caught.value.message


def test_an_alias_is_refused_in_amazons_words(server: Route53, aws: Any, example: str, context: Context) -> None:
    name = "_acme-challenge.alias.example.com"
    one = {"Name": name, "Type": "CNAME", "TTL": 1, "ResourceRecords": [{"Value": "x.test"}]}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": one}]}
    aws.change_resource_record_sets(HostedZoneId=example, ChangeBatch=changes)
    with pytest.raises(DnsError) as caught:
        provider(server).publish(context, name, VALUE)
    assert caught.value.errorcode[-1] == "refused"
    assert "conflicting RRSet of type CNAME" in caught.value.message


def test_the_change_is_awaited(server: Route53, aws: Any, example: str) -> None:
    name = "_acme-challenge.pending.example.com"
    server.keep_pending(2)
    told = Steps()
    mine = provider(server)
    before = len(server.calls())
    mine.publish(Context(20).begin(listener=told), name, VALUE)
    assert told.steps == ["dns_wait", "dns_wait"]
    assert server.calls()[before:] == ["change_resource_record_sets", "get_change", "get_change"]
    mine.remove(Context(20).begin(), name, VALUE)
    assert server.calls()[before + 3 :] == ["change_resource_record_sets"]  # nobody waits for its end
    with pytest.raises(WaitTimeout) as caught:
        mine.publish(Context(0.4).begin(), name, VALUE)
    assert caught.value.message.startswith("Failed to create DNS record: ")
    server.keep_pending(0)


def test_a_change_that_may_not_be_looked_at_is_undone(
    server: Route53, aws: Any, example: str, context: Context
) -> None:
    """The policy lacks route53:GetChange: the value stands by then."""
    name = "_acme-challenge.denied.example.com"
    server.deny_looks()
    mine, published = provider(server), PublishedRecords()
    with pytest.raises(DnsError, match="GetChange") as caught:
        published.publish(context, mine, name, VALUE)
    server.keep_pending(0)
    assert caught.value.errorcode[-1] == "credentials"
    assert values(aws, example, name) == [f'"{VALUE}"']
    assert published.values(mine, name) == (VALUE,)
    assert published.remove(context, mine, name) == [VALUE]
    assert values(aws, example, name) == []


# ---- credentials ----


def test_one_word_takes_its_secret_from_the_environment_or_a_profile(
    server: Route53, aws: Any, example: str, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for given in ({"api_key": "AKIDEXAMPLE"}, {"access_key_id": "AKIDEXAMPLE"}):
        with pytest.raises(ArgumentError) as caught:
            provider(server, **given)
        assert caught.value.errorcode == ("TOSSL", "VALUE", "secret_access_key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    provider(server, api_key="AKIDEXAMPLE").publish(context, NAME, VALUE)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text(
        f"[other]\naws_access_key_id=AKIDOTHER\naws_secret_access_key=x\n"
        f"[mine]\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key={SECRET}\n"
    )
    assert provider(server, api_key="AKIDEXAMPLE").remove(context, NAME, VALUE) == [VALUE]
    # A profile, the environment's or by name; nothing at all is a clear error.
    provider(server, aws_profile="mine").publish(context, NAME, VALUE)
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert open_provider(ProviderOptions("route53", endpoint=server.url)).remove(context, NAME, None) == [VALUE]
    for profile in ("nobody", "", "mine"):
        monkeypatch.setenv("AWS_PROFILE", profile)
        (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text("[mine]\naws_access_key_id=AKIDEXAMPLE\n")
        with pytest.raises(DnsError) as refused:
            open_provider(ProviderOptions("route53", endpoint=server.url)).publish(context, NAME, VALUE)
        assert refused.value.errorcode[-1] == "credentials", profile
        assert refused.value.message.startswith("Failed to create DNS record: boto3 failed: ")


def test_without_the_extra(server: Route53, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DnsError) as caught:
        library.load_library("route53", "boto3", "route53")
    assert caught.value.errorcode == ("TOSSL", "DNS", "route53", "unsupported")
    assert caught.value.message == (
        "Provider not supported: route53 needs the extra tossl-acme[route53], which is not installed: "
        "run `make EXTRAS=route53`, or pip install 'tossl-acme[route53]'"
    )


def test_what_blocks_is_left_behind_and_that_is_said(context: Context) -> None:
    go_on, began = threading.Event(), threading.Event()

    def work() -> bool:
        began.set()
        return go_on.wait(20)

    try:
        with pytest.raises(WaitTimeout, match="boto3 is left behind in a thread"):
            library.call_library(context.narrowed(0.2), "boto3", work)
        began.clear()
        threading.Thread(target=lambda: (began.wait(), context.cancel()), daemon=True).start()
        with pytest.raises(Cancelled, match="boto3 is left behind in a thread"):
            library.call_library(context, "boto3", work)
    finally:
        go_on.set()
