"""Where a provider's credentials come from, and which provider a name gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.httpreq import HttpReq
from tests.tclhost import Tcl, new_key
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.dns import providers
from tossl_acme.dns.credentials import credential_values, read_lines
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.provider import Habits, habits_of
from tossl_acme.dns.registry import (
    kept_credentials,
    open_provider,
    open_providers,
    provider_credentials,
    provider_type,
    providers_by_name,
)
from tossl_acme.errors import ArgumentError, DnsError
from tossl_acme.files import FilePath
from tossl_acme.identifiers import Identifier
from tossl_acme.text import Secret

KEY = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"
LINES = f"""
# for the DNS
export OTHER = "of somebody else"
CF_DNS_API_TOKEN='{KEY}'
"""


def text_of(text: str, file: str = "") -> ProviderOptions:
    return ProviderOptions("cloudflare", credentials_text=Secret(text, file=file))


def key_of(options: ProviderOptions) -> str:
    """The key that the provider gets."""
    return credential_values("cloudflare", provider_type("cloudflare").credentials, options)["api_key"]


def test_lines() -> None:
    assert read_lines(LINES) == {"OTHER": "of somebody else", "CF_DNS_API_TOKEN": KEY}
    assert read_lines(f"\ufeffa={KEY}\r\nb=c\r\n") == {"a": KEY, "b": "c"}
    assert read_lines("a=b=c \nq=\"'\"\nempty=\nhalf=\"x") == {"a": "b=c", "q": "'", "empty": "", "half": '"x'}


@pytest.mark.parametrize("line", [KEY, "two words=x", "=x", "1=x", "a-b=x"])
def test_other_lines_are_not_shown(line: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        open_provider(text_of(f"# c\n{line}"))
    assert caught.value.errorcode == ("TOSSL", "VALUE", "credentials")
    assert caught.value.message == "line 2 of the credentials is not KEY=value"


def test_the_text_stands_before_the_environment_and_behind_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "of-the-environment")
    assert key_of(ProviderOptions("cloudflare")) == "of-the-environment"
    assert key_of(text_of(LINES)) == KEY
    assert key_of(text_of("api_key=by-field")) == "by-field"
    given = ProviderOptions("cloudflare", {"api_key": Secret("given")}, credentials_text=Secret(LINES))
    assert key_of(given) == "given"
    lines = Secret("endpoint=https://lines.example")
    assert open_provider(ProviderOptions("generic", credentials_text=lines)).endpoint == "https://lines.example"
    given = ProviderOptions("generic", endpoint="https://given.example", credentials_text=lines)
    assert open_provider(given).endpoint == "https://given.example"


@pytest.mark.parametrize("text", [f"HETZNER_TOKEN={KEY}", "# nothing yet\n", "\n"])
def test_a_text_for_others_alone_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a file does not mean another account, which the environment has."""
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "of-the-environment")
    with pytest.raises(ArgumentError) as caught:
        open_provider(text_of(text))
    assert caught.value.errorcode == ("TOSSL", "VALUE", "credentials")
    assert "have nothing for cloudflare, which takes api_key, CLOUDFLARE_API_TOKEN" in caught.value.message
    assert KEY not in caught.value.message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "dns.conf"
    path.write_text(LINES)
    path.chmod(mode)
    with pytest.raises(ArgumentError) as caught:
        open_provider(text_of(LINES, FilePath(str(path))))
    assert caught.value.errorcode == ("TOSSL", "VALUE", "credentials")
    assert str(path) in caught.value.message
    assert f"mode {mode:04o}" in caught.value.message
    path.chmod(0o600)
    assert key_of(text_of(LINES, FilePath(str(path)))) == KEY


@pytest.mark.parametrize("field", [KEY, "token\n", "", "Two", "x" * 40])
def test_what_stands_in_the_place_of_a_field_is_not_shown(field: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        open_provider(ProviderOptions("cloudflare", {field: Secret("hush")}))
    assert caught.value.errorcode == ("TOSSL", "VALUE", "credentials")
    assert caught.value.message == "the DNS provider cloudflare takes no such credential; it takes api_key"


# ---- a provider by name ----


def by_name(**providers: str) -> ProviderOptions:
    opened = {name.replace("__", "."): ProviderOptions(kind, {"api_key": Secret(KEY)}, endpoint="https://dns.example")
              for name, kind in providers.items()}  # fmt: skip
    return ProviderOptions("", by_name=opened)


def test_the_longest_name_counts() -> None:
    chosen = open_providers(by_name(example__com="cloudflare", a__example__com="generic", default="generic"))
    assert chosen.for_name("_acme-challenge.example.com").name == "cloudflare"
    assert chosen.for_name("_acme-challenge.A.example.com.").name == "generic"
    assert chosen.for_name("x.a.example.com").name == "generic"
    assert chosen.for_name("notexample.com").name == "generic"
    assert {provider.name for provider in chosen} == {"cloudflare", "generic"}


def test_the_first_name_that_has_a_provider_counts() -> None:
    chosen = open_providers(by_name(acme__example__org="generic", example__com="cloudflare"))
    assert chosen.for_name("x.acme.example.org", "www.example.com").name == "generic"
    assert chosen.for_name("x.elsewhere.test", "www.example.com").name == "cloudflare"
    with pytest.raises(ArgumentError) as caught:
        chosen.for_name("x.elsewhere.test", "other.example")
    assert caught.value.message == '-provider has no entry for "other.example", and no default'


def test_every_provider_of_the_dict_is_opened_at_once() -> None:
    with pytest.raises(DnsError):
        open_providers(by_name(example__com="cloudflare", default="nonesuch"))


def request_for(options: ProviderOptions) -> Issuance:
    solvers = SolverOptions(provider=options)
    return Issuance((Identifier("dns", "example.com"),), "https://ca.example/dir", solvers=solvers)


def test_the_request_keeps_it_by_reference(tmp_path: Path) -> None:
    path = tmp_path / "dns.conf"
    path.write_text(LINES)
    path.chmod(0o600)
    file = Secret(LINES.removesuffix("\n"), file=FilePath(str(path)))
    single = ProviderOptions("cloudflare", credentials_text=file)
    options = ProviderOptions("", by_name={"example.com": single, "default": ProviderOptions("cloudflare")})
    request = request_for(options)
    assert request.is_renewable
    kept = json.dumps(request.as_json())
    assert KEY not in kept
    assert Issuance.from_json(json.loads(kept)) == request
    literal = ProviderOptions("", by_name={"default": ProviderOptions("cloudflare", {"api_key": Secret(KEY)})})
    request = request_for(literal)
    assert not request.is_renewable
    assert KEY not in json.dumps(request.as_json())


def test_names_that_are_also_a_paths_members_are_kept() -> None:
    request = request_for(ProviderOptions("", by_name=dict.fromkeys(("path", "word"), ProviderOptions("cloudflare"))))
    assert Issuance.from_json(json.loads(json.dumps(request.as_json()))) == request


@pytest.mark.parametrize(
    ("provider", "given", "is_renewable"),
    [
        ("rfc2136", {"server": Secret("192.0.2.1"), "key_file": "tsig.key"}, True),
        ("RFC2136", {"server": "192.0.2.1", "key_name": "k", "key_secret": Secret(KEY, env="TSIG")}, True),
        ("rfc2136", {"server": "192.0.2.1", "key_name": "k", "key_secret": Secret(KEY)}, False),
        ("rfc2136", {"server": "192.0.2.1", "key_secret": KEY}, False),
        ("rfc2136", {"server": Secret("192.0.2.1", env="SERVER"), "key_file": FilePath("/k", "/k")}, True),
        ("route53", {"aws_profile": "web", "region": "eu-central-1", "zone_id": Secret("Z1")}, True),
        ("route53", {"access_key_id": "AKID", "secret_access_key": Secret(KEY)}, False),
        ("route53", {"api_key": Secret(KEY)}, False),
        ("acme-dns", {"subdomain": "s", "password": KEY}, False),
        ("lexicon:dummy", {"server": "192.0.2.1", "auth_token": KEY}, False),
        ("unknown", {"server": KEY}, False),
    ],
    ids=[
        "file", "reference", "literal", "as text", "all by reference", "profile", "key id",
        "in an id's place", "acme-dns", "lexicon", "unknown",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_kept(
    provider: str, given: dict[str, Secret | str], is_renewable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's name or a profile's beside a reference to the secret: the certificate is renewed by its name."""
    monkeypatch.setenv("TSIG", KEY)
    monkeypatch.setenv("SERVER", "192.0.2.1")
    request = request_for(ProviderOptions(provider, kept_credentials(provider, given)))
    assert request.is_renewable is is_renewable
    kept = json.dumps(request.as_json())
    assert KEY not in kept
    if is_renewable:
        again = Issuance.from_json(json.loads(kept))
        assert again == request
        assert again.is_renewable


def test_a_file_is_kept_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal runs in another folder, where acme-dns would get another account for want of the file."""
    monkeypatch.chdir(tmp_path)
    files = {
        (provider, one.field)
        for provider, credentials in provider_credentials().items()
        for one in credentials
        if one.field.endswith("_file")
    }
    assert files == {("acmedns", "accounts_file"), ("rfc2136", "key_file")}
    for provider, field in files:
        assert kept_credentials(provider, {field: "a file"}) == {field: f"{tmp_path}/a file"}


def test_providers_and_fields_whose_names_are_a_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored path has two members of these names."""
    fields: dict[str, Secret | str] = {"path": Secret(KEY, env="TSIG"), "word": Secret(KEY, env="TSIG")}
    one = ProviderOptions("lexicon:dummy", fields)
    monkeypatch.setenv("TSIG", KEY)
    request = request_for(ProviderOptions("", by_name={"path": one, "word": one}))
    assert Issuance.from_json(json.loads(json.dumps(request.as_json()))) == request


# ---- in Tcl ----


@pytest.fixture
def receiver() -> Iterator[HttpReq]:
    with HttpReq(token=KEY) as server:
        yield server


def outcome(tcl: Tcl, provider: object, api_key: object = "", **options: object) -> str:
    """What a challenge's record ends with: "published", or the last word of the errorcode."""
    words = {"propagation_timeout": 0, **options}
    result = tcl.try_acme("dns01_challenge", "a.example", "token", new_key(), provider, api_key, **words)
    if isinstance(result, str):
        return "published"
    assert KEY not in f"{result.message}{result.info}"
    return result.code[-1]


def test_a_dict_of_credentials(tcl: Tcl, receiver: HttpReq, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dns.conf"
    path.write_text(f"api_key={KEY}\nHTTPREQ_ENDPOINT={receiver.url}\n")
    path.chmod(0o600)
    assert outcome(tcl, "generic", credentials_file=path) == "published"
    monkeypatch.setenv("MY_DNS", path.read_text())
    assert outcome(tcl, "generic", credentials_env="MY_DNS") == "published"
    monkeypatch.setenv("HTTPREQ_ENDPOINT", receiver.url)
    assert outcome(tcl, "generic", credentials=["api_key", KEY]) == "published"
    assert outcome(tcl, "generic", ["api_key", KEY]) == "published"
    assert outcome(tcl, "generic", KEY) == "published"
    assert outcome(tcl, "generic", "wrong") == "credentials"
    path.chmod(0o644)
    assert outcome(tcl, "generic", credentials_file=path) == "credentials"
    assert outcome(tcl, "generic", credentials=["api_key"]) == "credentials"
    assert outcome(tcl, "generic", credentials=["key_id", KEY]) == "key_id"
    assert outcome(tcl, "generic", f"{KEY} {KEY}") == "api_key"
    twice = tcl.failure(
        "dns01_challenge", "a.example", "token", new_key(), "generic", "", credentials_file=path,
        credentials=["api_key", KEY],
    )  # fmt: skip
    assert twice.message == "give only one of -credentials_file and -credentials"


def test_a_dict_of_providers(tcl: Tcl, receiver: HttpReq, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    generic = ["generic", "-endpoint", receiver.url, "-api_key_file", path]
    assert outcome(tcl, ["a.example", generic]) == "published"
    assert outcome(tcl, ["A.example.", generic, "default", ["cloudflare", "-api_key", KEY]]) == "published"
    assert outcome(tcl, ["default", ["generic", "-endpoint", receiver.url, "-api_key", KEY]]) == "published"
    assert outcome(tcl, ["*.a.example", generic]) == "published"
    named = ["generic", "-credentials", ["api_key", KEY, "endpoint", receiver.url]]
    assert outcome(tcl, ["default", named]) == "published"
    sent = len(receiver.requests)
    assert outcome(tcl, ["default", generic, "b.example", "cloudflare"]) == "api_key"
    assert outcome(tcl, ["b.example", generic]) == "provider"
    assert outcome(tcl, ["default", generic], KEY) == "api_key"
    assert outcome(tcl, ["default", [*generic, "-profile", "x"]]) == "profile"
    assert outcome(tcl, ["default", "nonesuch"]) == "unsupported"
    assert outcome(tcl, ["default", ""]) == "provider"
    assert outcome(tcl, ["default", generic, "a.example"]) == "provider"
    assert outcome(tcl, ["a.example", generic, "A.example.", generic]) == "provider"
    assert outcome(tcl, ["*.a.example", generic, "a.example", generic]) == "provider"
    assert outcome(tcl, ["a.example", ["generic", "and", "words"]]) == "provider"
    assert outcome(tcl, ["a..example", generic, "default", generic]) == "provider"
    assert len(receiver.requests) == sent


def test_cleaning_up_takes_the_names_provider(tcl: Tcl, receiver: HttpReq) -> None:
    generic = ["generic", "-endpoint", receiver.url, "-api_key", KEY]
    providers = ["a.example", generic, "default", ["cloudflare", "-api_key", KEY]]
    shown = tcl.dict("dns01_challenge", "a.example", "token", new_key(), providers, "", propagation_timeout=0)
    assert tcl.acme("cleanup_dns", "a.example", shown["dns_record_name"], providers, "")
    assert [request.path for request in receiver.requests] == ["/present", "/cleanup"]


@pytest.mark.parametrize("name", ["m\xfcller.example", "*.M\xdcLLER.example.", "xn--mller-kva.example"])
def test_the_name_of_a_dict_in_its_own_script(name: str) -> None:
    chosen = providers_by_name({name: ProviderOptions("generic")})
    assert list(chosen) == ["xn--mller-kva.example"]
    assert ProviderOptions("", by_name=chosen).for_name("_acme-challenge.www.xn--mller-kva.example").name == "generic"


# ---- what each provider says of itself ----


def test_every_provider_names_the_vendors_page_and_its_date() -> None:
    folder = Path(providers.__path__[0])
    for path in sorted(folder.glob("[a-z]*.py")):
        text = path.read_text("utf-8").partition('"""')[2].partition('"""')[0]
        assert re.search(r"https://\S+", text), f"{path.name}: its docstring names no page"
        assert re.search(r"\b20\d\d-\d\d-\d\d\b", text), f"{path.name}: its docstring does not say when that was read"


def test_habits() -> None:
    for name in provider_credentials():
        habits = getattr(provider_type(name), "habits", None)
        assert isinstance(habits, Habits), name
    assert habits_of(object()) == Habits()  # type: ignore[arg-type]
