"""Option groups, similar to a test's fixtures: arguments and options that many commands share.

A group is a documented function: its parameters are arguments and options like a command's, its docstring has their
texts and errors, and its return annotation asks for it. tcl/command.py describes how groups nest and are left out.
Imports of the rooms below stand inside the functions, so that `package require` loads none of them.
"""

from __future__ import annotations

import os

from ..errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol, TypeVar

    from ..acme.account import ExternalAccountBinding, NewAccount
    from ..acme.client import Client
    from ..acme.jws import AccountKey
    from ..acme.order import OrderOptions
    from ..acme.server import Server
    from ..certificates.deploy import Hooks
    from ..certificates.issuance import Authority
    from ..certificates.key import CertificateKey
    from ..certificates.managed import Managed
    from ..certificates.node_files import NodeFiles
    from ..challenges.ports import Port
    from ..challenges.solver import Aliases, Propagation, SolverOptions
    from ..context import Context
    from ..dns.options import ProviderOptions
    from ..files import FilePath
    from ..http.options import ConnectionOptions
    from ..identifiers import Identifier
    from ..store.options import FolderOptions
    from ..store.protocol import Store
    from ..text import Secret

    class Callback(Protocol):
        """A script's command prefix."""

        @property
        def interpreter(self) -> object: ...

        @property
        def is_gone(self) -> bool: ...

        @property
        def takes_calls(self) -> bool: ...

        def call(self, context: Context, *values: object) -> str: ...

        def call_list(self, context: Context, *values: object) -> tuple[str, ...]: ...

    #: The options of a command that are known only when asked for.
    MoreOptions = dict[str, Secret | str]
    #: Secrets by name, or a text with some.
    SecretDict = dict[str, Secret] | Secret
    #: A secret, perhaps with secrets by name in it.
    SecretOrDict = Secret
    #: Facts of the interpreter's Tcl.
    TclFacts = Mapping[str, str]
    #: The words of a call, by argument and option.
    Words = Mapping[str, str]
    _Made = TypeVar("_Made")
    #: A word, or what a group makes by name.
    Named = str | dict[str, _Made]
    #: One of several providers.
    OneProvider = ProviderOptions
    #: Makes what a group makes.
    Lazy = Callable[[], _Made]
    Identifiers = tuple[Identifier, ...]
    #: The path of a folder, or a URL.
    FilePathOrUrl = FilePath | str
    #: A store that knows who reads its certificates.
    CertificateStore = Store
    #: Of an account to one at the CA's website.
    Binding = ExternalAccountBinding | None
    #: A secret, and a text, that nobody leaves out by an empty word: an empty file would be none.
    SecretGiven = Secret
    TextGiven = str
    #: URLs.
    Contacts = tuple[str, ...]
    #: The CAs to ask, in this order, and the order's options.
    Authorities = tuple[list[Authority], OrderOptions]
    #: What is written outside the store: -files and -pem_file.
    Places = tuple[NodeFiles | None, FilePath | None]


def connection(*, ca_bundle: FilePath | None = None, proxy: str = "") -> ConnectionOptions:
    """Returns the options for reaching a server.

    -ca_bundle path   a PEM file, or a folder of PEM files, with the CA certificates to trust; default:
                      REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE of the environment, else those that the system
                      trusts, else those of certifi; with the folders of SSL_CERT_DIR
    -proxy url        http://host:port, with user:password@ before the host if needed, or socks5h://host:port with the
                      extra tossl-acme[socks]; default: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the
                      environment

    Errors:
    TOSSL VALUE ca_bundle  there is no such file or folder, or no sound PEM certificate in it
    TOSSL VALUE proxy      not the URL of a proxy, or one that speaks SOCKS, and the extra for it is not installed
    """
    from ..http.options import ConnectionOptions

    return ConnectionOptions(ca_bundle or "", proxy)


def server(directory_url: str, *, connection: ConnectionOptions) -> Server:
    """Returns a CA.

    directory_url     the CA: its https directory URL, or the short name of a public CA ({public_cas})

    Errors:
    TOSSL ACME type status  the CA refused: the problem's type and the HTTP status (0 for a problem in an object)
    TOSSL HTTP kind         no usable answer: connect, tls, dns, reset, too_large, malformed, redirect, scheme or status
    TOSSL TIMEOUT what      the time was over while waiting for that object
    TOSSL VALUE directory_url
                            neither an https URL nor a CA's short name
    """
    from ..acme.servers import server_for

    return server_for(directory_url, connection)


def account_key(account_key: Secret) -> AccountKey:
    """Returns the key of an account.

    account_key pem   the account's private key, PEM text, for example from tossl::key::generate

    Errors:
    TOSSL KEY kind    a key that cannot be used: format, public, encrypted, weak, size, type or curve
    """
    from ..acme.clients import account_key_of

    return account_key_of(account_key.value)


def binding(*, eab_kid: str = "", eab_hmac_key: Secret | None = None, eab_alg: str = "HS256") -> Binding:
    """Returns an external account binding, if there is one.

    -eab_kid id        external account binding: the key id from the CA's website. A CA whose directory has
                       externalAccountRequired requires it for a new account, as do {binding_cas}. Without it
                       {mailing_cas} gives one for the mail address of the account, which is sent to its API. Where an
                       account is only looked up, it is sent if the CA refuses that without it
    -eab_hmac_key key  the binding's key, base64url, as the CA shows it
    -eab_alg name      the binding's algorithm: HS256, HS384 or HS512

    Errors:
    TOSSL VALUE eab_kid     missing, and the CA requires a binding; or -eab_hmac_key without it
    TOSSL VALUE eab_hmac_key
                            not base64url; or -eab_kid without it
    TOSSL VALUE eab_alg     not one of the three
    """
    from ..acme.account import ExternalAccountBinding

    is_bound = bool(eab_kid or (eab_hmac_key and eab_hmac_key.value))
    return ExternalAccountBinding.parse(eab_kid, eab_hmac_key, eab_alg) if is_bound else None


def client(server: Server, account_key: AccountKey, *, binding: Binding) -> Client:
    """Returns an account key at a CA, with its account's URL where the default store knows it."""
    from ..acme.clients import client_of
    from ..store.options import present_store

    found = client_of(server, account_key)
    found.take_binding(binding)
    if not found.knows_account and present_store():
        from ..certificates.keys_apart import learn_account_keys
        from ..certificates.known import default_store, take_account_of_store

        learn_account_keys(None)
        take_account_of_store(found, default_store())
    return found


def contacts(email: str, contact: list[str] = []) -> Contacts:  # noqa: B006 - only read
    """Returns the contacts of an account.

    email             a mail address for the account, with or without mailto:; may be empty
    contact           a list of further contacts: mail addresses, or URLs such as tel:

    Errors:
    TOSSL VALUE email       not one mail address
    TOSSL VALUE contact     not mail addresses and URLs
    """
    from ..acme.account import contact_urls

    return contact_urls(email, contact)


def identifiers(domains: list[str]) -> Identifiers:
    """Returns the names of a certificate.

    domains           a list of DNS names, also with "*.", and IP addresses

    Errors:
    TOSSL VALUE domains     "Failed to parse domains: " with the name and its fault
    """
    from ..identifiers import parse_identifiers

    return parse_identifiers(domains)


def identifier(domain: str) -> Identifier:
    """Returns one name.

    domain            a DNS name or an IP address

    Errors:
    TOSSL VALUE domain      not a name
    """
    from ..identifiers import parse_identifier

    return parse_identifier(domain)


def order_options(
    *,
    profile: str = "",
    not_before: str = "",
    not_after: str = "",
    subdomain_auth: list[str] = [],  # noqa: B006 - only read
) -> OrderOptions:
    """Returns the options of an order.

    -profile name     a profile listed in the directory's meta; any other is refused before the order
    -not_before time  begin of the certificate, epoch seconds or RFC 3339; few CAs accept it
    -not_after time   end of the certificate, likewise
    -subdomain_auth list
                      domains above the names: the CA may have one of them proven in the place of a name below it (RFC
                      9444). The order names the closest, if the directory's meta has subdomainAuthAllowed; 1 instead of
                      a list allows each domain above a name, but names none

    Errors:
    TOSSL VALUE profile     not offered by the CA
    TOSSL VALUE not_before  not a time
    TOSSL VALUE not_after   not a time, or not later than -not_before
    TOSSL VALUE subdomain_auth
                            neither a boolean nor domains
    """
    from ..acme.order import OrderOptions, ancestors, rfc3339_time

    begin, end = rfc3339_time(not_before, "not_before"), rfc3339_time(not_after, "not_after")
    if begin and end and begin >= end:
        raise ArgumentError("not_after", "-not_after: must be later than -not_before")
    return OrderOptions(begin, end, profile, subdomain_auth=ancestors(subdomain_auth))


def new_account(*, binding: Binding, agree_tos: bool = True, shared_key: bool = False) -> NewAccount:
    """Returns the options of a new account.

    -agree_tos boolean
                       whether to agree to the CA's terms of service, whose URL is termsOfService in the directory's
                       meta; with 0 no account is created at a CA that has terms
    -shared_key boolean
                       whether a new account may have a key that is known at another CA or as a certificate's, and a
                       certificate a key that is known as an account's. RFC 8555 section 11.1 warns of it. A key is
                       known if this process has used it, or if it is in the store: in the default store, where the
                       command takes none. One CA's staging and production, one host, loopback and private addresses
                       count as one CA. An account that exists is used whatever its key. A directory may name URLs on
                       any host, so one that mirrors another CA's is told by its account alone: nothing is ordered there
                       if that is known to be the key's account at the other CA

    Errors:
    TOSSL VALUE account_key  the key is known at another CA, or as a certificate's
    TOSSL VALUE agree_tos   0, and the CA has terms of service
    """
    from ..acme.account import NewAccount

    return NewAccount(agree_tos=agree_tos, binding=binding, shared_key=shared_key)


def declared_credentials() -> dict[str, str]:
    """Returns the annotations of the DNS providers' credentials by name, as options that help does not list."""
    from ..dns.registry import provider_credentials

    return {
        credential.field: "Secret" if credential.secret else "FilePath" if credential.is_path else "str"
        for credentials in provider_credentials().values()
        for credential in credentials
        if credential.field not in ("api_key", "zone_id", "endpoint")
    }


def one_provider(
    provider: str,
    *,
    api_key: SecretOrDict | None = None,
    zone_id: str = "",
    endpoint: str = "",
    credentials: SecretDict | None = None,
    fields: MoreOptions = declared_credentials,  # type: ignore[assignment] # called for the options
) -> OneProvider:
    """Returns the options of the DNS provider of one name or zone.

    provider name     the DNS provider: {providers}
    -api_key text     as api_key of dns01_challenge
    -zone_id text     as zone_id of dns01_challenge
    -endpoint url     as for a single provider
    -credentials dict  as for a single provider
    """
    from ..dns.options import ProviderOptions
    from ..dns.registry import kept_credentials, takes_fields
    from ..text import Secret

    given = {name: value for name, value in fields.items() if value}
    if api_key is not None and takes_fields(provider, api_key.pairs[::2]):
        given |= {name: Secret(value) for name, value in zip(api_key.pairs[::2], api_key.pairs[1::2], strict=True)}
    elif api_key is not None:
        given["api_key"] = api_key
    if isinstance(credentials, dict):
        given |= credentials
    text = credentials if isinstance(credentials, Secret) else None
    given = kept_credentials(provider, given)
    return ProviderOptions(provider, given, zone_id, endpoint, credentials_text=text)


def provider(
    provider: Named[OneProvider],
    api_key: SecretOrDict | None,
    zone_id: str = "",
    *,
    endpoint: str = "",
    credentials: SecretDict | None = None,
    fields: MoreOptions = declared_credentials,  # type: ignore[assignment] # called for the options
    connection: ConnectionOptions,
) -> ProviderOptions:
    """Returns the options of the DNS providers.

    provider name     the DNS provider: {providers}; or a dict by name or zone, in which default stands for all other
                      names: each value is a provider with its own -api_key, -zone_id, -endpoint and -credentials, as in
                      {example.com {cloudflare -api_key_file F} default rfc2136}
    api_key text      the provider's key, for one that takes a single secret; or a dict as -credentials. Empty takes all
                      from the environment: tossl::dns::providers lists the variables of each provider
    zone_id text      the provider's id of the DNS zone; by default it is found by the zone's name
    -endpoint url     the URL of the provider's service, where it is not the usual one; required for generic:
                      {"fqdn", "value"} is POSTed as JSON to url/present and url/cleanup
    -credentials dict
                      the provider's secrets and settings by field: tossl::help NAME lists a provider's fields
    -credentials_file path
                      a file with lines KEY=value, which nobody else can read or change; KEY is a field or a variable
    -credentials_env variable
                      an environment variable with such lines

    Errors:
    TOSSL HTTP kind         no usable answer: connect, tls, dns, reset, too_large, malformed, redirect, scheme or status
    TOSSL TIMEOUT what      the time was over while waiting for that object
    TOSSL VALUE api_key     missing for a provider that needs it, or it contains a character that no key has
    TOSSL VALUE zone_id     it contains a character that no zone id has
    TOSSL VALUE endpoint    missing for a provider that needs it, or not an https URL (http on loopback)
    TOSSL VALUE credentials
                            not a dict of the provider's fields, not lines KEY=value, or a file that others can read
                            or change
    """
    from dataclasses import replace

    from ..dns.options import ProviderOptions
    from ..dns.registry import providers_by_name

    if isinstance(provider, str):
        return replace(one_provider(
            provider, api_key=api_key, zone_id=zone_id, endpoint=endpoint, credentials=credentials, fields=fields
        ), connection=connection)  # fmt: skip
    beside = {"api_key": api_key, "zone_id": zone_id, "endpoint": endpoint, "credentials": credentials, **fields}
    for name, value in beside.items():
        if value:
            raise ArgumentError(name, f"{name}: give it with the provider that it is for, in the dict of providers")
    by_name = {name: replace(one, connection=connection) for name, one in provider.items()}
    return ProviderOptions("", connection=connection, by_name=providers_by_name(by_name))


def aliases(
    *,
    resolvers: list[str] = [],  # noqa: B006 - only read
    follow_cname: bool = True,
) -> Aliases:
    """Returns the options for finding CNAME records at a record's name.

    -resolvers list   DNS servers (host or host:port) to ask instead of this machine's; default: TOSSL_RESOLVERS of the
                      environment
    -follow_cname boolean
                      whether to publish the record where CNAME records at its name lead, which may be in another zone
                      and at another provider; a CNAME that a wildcard makes up does not count

    Errors:
    TOSSL VALUE resolvers   not hosts, or more than 32
    """
    from ..challenges.solver import Aliases

    return Aliases(tuple(resolvers), follow_cname)


def propagation(*, aliases: Aliases, propagation: str = "", propagation_timeout: float = 300) -> Propagation:
    """Returns the options for waiting for a DNS record.

    -propagation mode
                      authoritative waits until all servers of the zone show the record, at each IPv4 and IPv6 address
                      that answers; recursive, until all of -resolvers (else this machine's) do; wait asks nobody, and
                      goes on after -propagation_timeout; none goes on at once. Default: recursive with -resolvers or
                      TOSSL_RESOLVERS, else authoritative
    -propagation_timeout seconds
                      limit of the wait until all servers show the record; 0 does not check

    Errors:
    TOSSL VALUE propagation
                            not one of these modes
    TOSSL VALUE propagation_timeout
                            less than 0
    """
    from ..challenges.solver import Propagation

    return Propagation(aliases, propagation, propagation_timeout)


def solvers(
    *,
    challenge: list[str] = [],  # noqa: B006 - only read
    webroot: FilePath | None = None,
    port: Port | None = None,
    http01_response: bool = False,
    tls_port: Port = 443,
    provider: ProviderOptions | None = None,
    propagation: Propagation,
    check_caa: bool = True,
) -> SolverOptions:
    """Returns the options for proving names.

    -challenge list   types in order of preference: {challenge_types}; or a dict of such lists by domain, in which
                      default stands for all other domains. Default: dns-01 with -provider, else http-01
    -webroot folder   the folder from which a web server serves the domains
    -port number      port for the built-in http-01 server; port 80 of every domain must reach it. It listens on every
                      address of the machine, with 127.0.0.1:8080 or [::1]:8080 on that one
    -http01_response boolean
                      1: this program's own web server answers http-01 on port 80 of every domain, with http01_response;
                      no port is opened and no file written
    -tls_port number  port for the built-in tls-alpn-01 server, alone or behind an address; port 443 of every domain
                      must reach it
    -provider name    as provider of dns01_challenge; a dict is by domain or zone
    -api_key text     as api_key of dns01_challenge
    -zone_id text     as zone_id of dns01_challenge
    -check_caa boolean
                      whether to look at the domains' CAA records before the order (RFC 8659, RFC 8657): it is not
                      placed if they forbid the CA and the directory has its caaIdentities. No answer in 3 s forbids
                      nothing

    Errors:
    TOSSL ACME caa 0         a CAA record forbids this CA, account or challenge type; the message has the record to set
    TOSSL DNS provider kind  a DNS provider failed
    TOSSL VALUE challenge    neither types nor a dict of types by domain
    TOSSL VALUE webroot      not a writable folder; none or several of -webroot, -port and -http01_response
    TOSSL VALUE port         -port or -tls_port is not a free port, or not one of an address of the machine
    TOSSL VALUE provider     missing, and the challenge type needs a DNS provider
    """
    from ..challenges.solver import SolverOptions

    options = SolverOptions(
        tuple(challenge), webroot, port, tls_port, provider, http01_response=http01_response, check_caa=check_caa
    )
    return options.waiting(propagation)


def certificate_key(
    *, key_type: str = "ec", private_key: SecretGiven | None = None, csr: TextGiven = "", common_name: str = ""
) -> CertificateKey:
    """Returns the source of a certificate's key.

    -key_type name    type of a new key for the certificate: ec (P-256), ec384, ec521, rsa (2048 bits), rsa3072,
                      rsa4096, rsa8192, ed25519
    -private_key pem  the certificate's private key, instead of a new one
    -csr pem          your own certificate signing request, for exactly these names, instead of a key
    -common_name name  one of the names, as the common name in the request's subject, which some CAs want; default: none

    Errors:
    TOSSL KEY kind          a key that cannot be used: format, public, encrypted, weak, size, type or curve
    TOSSL VALUE key_type    no such type of key
    TOSSL VALUE csr         not a request, not for these names, or given together with -private_key
    TOSSL VALUE common_name  none of the names, longer than 64 characters, or given together with -csr
    """
    from ..certificates.key import CertificateKey

    return CertificateKey(key_type, private_key, csr, common_name)


def authority(
    directory_url: str,
    *,
    email: str = "",
    account_key: SecretGiven | None = None,
    account: NewAccount,
    profile: str = "",
    preferred_chain: str = "",
) -> Authority:
    """One of the CAs of -directory, with what it alone is asked with.

    directory_url          the CA, as directory_url elsewhere
    -email address         a mail address for its account
    -account_key pem       the account's private key there
    -profile name          one of its profiles
    -preferred_chain name  an issuer's common name
    """
    from dataclasses import replace

    from ..acme.account import contact_urls
    from ..acme.public_cas import directory_url as url_for
    from ..certificates.issuance import Authority

    account = replace(account, contact=contact_urls(email))
    return Authority(url_for(directory_url), account, account_key, profile, preferred_chain)


def hooks(*, deploy: Callback | None = None, deploy_command: str = "", deploy_timeout: float = 60) -> Hooks:
    """Returns the hooks that are called with a new certificate.

    -deploy prefix        a command prefix, called with the certificate's dict once it is kept, to reload a server
    -deploy_command text  run by /bin/sh after that, with TOSSL_NAME, TOSSL_DOMAINS, TOSSL_FULLCHAIN, TOSSL_CERTIFICATE,
                          TOSSL_CHAIN, TOSSL_PRIVATE_KEY, TOSSL_PEM_FILE (paths), TOSSL_ISSUER, TOSSL_SERIAL,
                          TOSSL_NOT_BEFORE and TOSSL_NOT_AFTER in its environment. It is kept with the certificate, for
                          its renewals, and a URL's password in it is a literal secret; -deploy is not kept
    -deploy_timeout seconds
                          how long -deploy_command may take; then it is ended, with all processes that it started. A job
                          waits as long for -deploy

    Errors:
    TOSSL VALUE deploy_command  a NUL or half of a character in it; or there is no store
    TOSSL VALUE deploy_timeout  not a positive number of seconds
    """
    from ..certificates.deploy import Hooks, is_command_text

    if deploy_timeout <= 0:
        raise ArgumentError("deploy_timeout", "-deploy_timeout: must be a positive number of seconds")
    if not is_command_text(deploy_command):
        raise ArgumentError("deploy_command", "-deploy_command: there is a NUL in it, or half of a character")
    return Hooks(deploy.call if deploy else None, deploy_command, deploy_timeout)


def from_environment(variable: str) -> Any:
    """Returns an option's default: the environment variable's value at the time of the call."""
    return lambda: os.environ.get(variable, "")


def authorities(
    *,
    directory: list[Authority] = from_environment("TOSSL_DIRECTORY"),  # noqa: B008 - read when it is called
    email: str = from_environment("TOSSL_EMAIL"),
    account_key: SecretGiven | None = None,
    account: NewAccount,
    order: OrderOptions,
    preferred_chain: str = "",
) -> Authorities:
    """Returns the CAs to ask for a certificate, in this order, and the order's options.

    -directory list        the CA, as directory_url; default: TOSSL_DIRECTORY of the environment; one of both is
                           required. Further elements are CAs to ask, in this order, if the CA before failed twice in a
                           row or wants no request now. Each element is a CA, or a list of a CA and its own -email,
                           -account_key, -eab_kid, -eab_hmac_key, -eab_alg, -agree_tos, -profile and -preferred_chain,
                           as in {letsencrypt {zerossl -eab_kid K -eab_hmac_key_file F}}. Beside the list, -email is for
                           all CAs, and the other options are for the first. All accounts are made at once
    -email address         a mail address for the account; default: TOSSL_EMAIL of the environment
    -account_key pem       the account's private key; default: the store's key for this CA, else a new key. An existing
                           account needs no -eab_kid and no -agree_tos
    -preferred_chain name  an issuer's common name: uses the first chain with such an issuer, else the CA's first chain,
                           with a warning
    """
    from ..acme.account import contact_urls
    from ..certificates.issuance import beside

    if not directory:
        raise ArgumentError("directory", "-directory is required: a directory URL or a CA's short name")
    return beside(directory, contact_urls(email), account, account_key, order.profile, preferred_chain), order


def _folder_of_environment() -> tuple[str, str]:
    from ..store.options import folder_of_environment

    return folder_of_environment()


def kept(
    *,
    store: FilePathOrUrl = _folder_of_environment,  # type: ignore[assignment] # asked at the time of the call
    seal_key: Secret | None = None,
) -> Store | None:
    """Where account keys and certificates are kept.

    -store folder     where account keys and certificates are kept: a folder, or the URL of a PostgreSQL database,
                      postgresql://user@host/database, for many machines; without it the environment's TOSSL_STORE, else
                      /var/lib/tossl for root, and tossl in the XDG data home for others; empty stores nothing
    -seal_key keys    seals private keys and other secrets before they are stored, and opens those that are sealed: keys
                      as tossl::store::generate_key returns them, one on each line. The first seals, all open. Default:
                      the file that TOSSL_SEAL_KEY_FILE of the environment names; without both nothing is sealed, and
                      a store with sealed secrets is refused

    Errors:
    TOSSL VALUE store       not a folder that can be written to, or what is in it is damaged or of a later version; a
                            database that cannot be reached or does not let its role do this, or an unknown scheme
    TOSSL VALUE seal_key    no such keys, not those that the store is sealed with, missing for a store that is sealed,
                            or in a file that others can read
    """
    from ..store.options import notice_of
    from ..store.registry import open_store
    from ..store.sealed import SealedStore, SealKey

    return SealedStore(open_store(store, notice_of(store)), SealKey.given(seal_key)) if store else None


def file_options(*, layout: str = "", file_mode: str = "", group: str = "") -> FolderOptions:
    """Returns the layout and rights of the certificates' files for servers: in -files, else in the store's folder.

    -layout name      links: the files' names are links to the set in force, so all files change at once. files: plain
                      files, for file systems without links. Default: unchanged; for a new certificate links, or files,
                      with a warning, if no links can be made
    -file_mode mode   the mode of certificate and key, octal: 0600, 0640, 0400 or 0440. Default: unchanged; for a new
                      certificate 0600, or 0640 with -group
    -group name       a group, by name or number, that may read certificate and key, for servers that drop root's rights
                      first. It may enter the certificate's folder and the folders above it, never accounts/

    Errors:
    TOSSL VALUE layout      neither links nor files, or links cannot be made
    TOSSL VALUE file_mode   not such a mode, or -group cannot read with it
    TOSSL VALUE group       there is no such group
    """
    from ..store.options import FolderOptions

    return FolderOptions.parse(layout, file_mode, group)


def node_files(*, files: FilePath | None = None, file_options: FolderOptions) -> NodeFiles | None:
    """Returns the folder of this machine's own for the certificates' files.

    -files folder     a folder of this machine's own: the files cert.pem, chain.pem, fullchain.pem and privkey.pem are
                      written to folder/NAME, for web servers, whatever the store is. The store does not keep this: each
                      call says it, or `files = folder` in tossl.conf for the terminal

    Errors:
    TOSSL VALUE files       not a folder that can be written to, or the store's own; or another program has files there
    """
    if not files:
        return None
    from ..certificates.node_files import NodeFiles

    return NodeFiles(files, file_options)


def places(*, node_files: NodeFiles | None, pem_file: FilePath | None = None) -> Places:
    """Returns where a certificate's files are written outside the store.

    -pem_file path    a file for key, certificate and chain together, as nsssl and haproxy read them. It is written
                      whole, by every renewal too; an existing file keeps its mode and owners, a new one has 0600

    Errors:
    TOSSL VALUE pem_file    the file cannot be written, or -csr was given
    """
    return node_files, pem_file


def kept_for_servers(
    *, store: Store | None, file_options: FolderOptions, node_files: NodeFiles | None
) -> CertificateStore | None:
    """Returns the store, with the layout and rights of the certificates' files for servers."""
    from ..store.sealed import SealedStore

    if node_files is not None:
        return store
    if isinstance(store, SealedStore):
        return store.with_options(file_options)
    file_options.check_unasked()
    return store


def managed(
    domains: list[str],
    *,
    authorities: Authorities,
    solvers: SolverOptions,
    key: CertificateKey,
    store: CertificateStore | None,
    places: Places,
    hooks: Hooks,
    self_signed: bool = False,
    connection: ConnectionOptions,
    timeout: float = 600,
) -> Managed:
    """One certificate of a declared set.

    domains              a list of DNS names, perhaps with "*.", and IP addresses
    -self_signed boolean
                         1 keeps a self-signed certificate under this name at once, if none is kept, so that a server
                         can start. list_certificates marks it with self_signed 1. The first certificate of the CA
                         replaces it
    -timeout seconds     limit of one issuance, which may outlast it to clean up, as obtain_certificate may

    Errors:
    TOSSL VALUE timeout  not a positive number of seconds
    TOSSL VALUE store    -store is empty
    TOSSL VALUE self_signed
                         there is no key for it, for -csr is given
    TOSSL VALUE not_before
                         given; like -not_after, it is for one certificate, and this one is renewed
    """
    from ..certificates.issuance import Issuance
    from ..certificates.managed import Managed
    from ..certificates.node_files import check_has_files
    from ..certificates.stand_in import check_stand_in
    from ..challenges.choice import choose

    if timeout <= 0:
        raise ArgumentError("timeout", "-timeout: must be a positive number of seconds")
    if store is None:
        raise ArgumentError("store", "-store must not be empty here: certificates are kept in the store")
    cas, wishes = authorities
    if wishes.not_before or wishes.not_after:
        name = "not_before" if wishes.not_before else "not_after"
        raise ArgumentError(name, f"-{name} is for one certificate, and this one is renewed")
    identifiers = key.identifiers(domains)
    choose(solvers, identifiers)
    files, pem_file = places
    issuance = Issuance(
        identifiers,
        key=key,
        order=wishes,
        solvers=solvers,
        connection=connection,
        pem_file=pem_file,
        deploy_command=hooks.command,
        deploy_timeout=hooks.limit,
    ).at(cas)
    made = Managed(issuance, store, hooks, self_signed, timeout, files)
    check_stand_in(made)
    check_has_files(store, files or pem_file, hooks)
    return made


#: Of these, an option that a certificate has itself replaces those that all have.
managed.alternatives = (  # type: ignore[attr-defined]
    ("webroot", "port", "http01_response"),
    ("private_key", "csr"),
)


def _provider_names() -> Sequence[str]:
    from ..dns.registry import shown_names

    return shown_names()


def _challenge_types() -> Sequence[str]:
    from ..challenges.registry import TYPES

    return tuple(TYPES)


def _public_cas() -> Sequence[str]:
    from ..acme.public_cas import PUBLIC_CAS

    return [ca.name for ca in PUBLIC_CAS]


def _binding_cas() -> Sequence[str]:
    from ..acme.public_cas import PUBLIC_CAS

    return [ca.name for ca in PUBLIC_CAS if ca.needs_eab]


def _mailing_cas() -> Sequence[str]:
    from ..acme.public_cas import PUBLIC_CAS

    return [ca.name for ca in PUBLIC_CAS if ca.binding_url]


def _key_types() -> Sequence[str]:
    from ..certificates.key import names_of_key_types

    return names_of_key_types()


def _binding_algorithms() -> Sequence[str]:
    from ..acme.account import BINDING_ALGORITHMS

    return BINDING_ALGORITHMS


def _propagation_modes() -> Sequence[str]:
    from ..dns.propagation import MODES

    return MODES


def _layouts() -> Sequence[str]:
    from ..store.options import LAYOUTS

    return LAYOUTS


#: What stands in braces in the texts above, found out when they are shown.
TEXTS = {
    "providers": _provider_names,
    "challenge_types": _challenge_types,
    "public_cas": _public_cas,
    "binding_cas": _binding_cas,
    "mailing_cas": _mailing_cas,
}

#: The words that an argument or option may have, where they are few: for completion in a shell.
CHOICES = {
    "provider": _provider_names,
    "challenge": _challenge_types,
    "directory": _public_cas,
    "directory_url": _public_cas,
    "key_type": _key_types,
    "eab_alg": _binding_algorithms,
    "propagation": _propagation_modes,
    "layout": _layouts,
}

#: The groups by their annotations.
GROUPS: dict[str, Any] = {
    group.__annotations__["return"].removesuffix(" | None"): group
    for group in (
        connection,
        server,
        account_key,
        binding,
        client,
        contacts,
        identifiers,
        identifier,
        order_options,
        new_account,
        one_provider,
        provider,
        aliases,
        propagation,
        solvers,
        certificate_key,
        hooks,
        authority,
        authorities,
        kept,
        file_options,
        node_files,
        places,
        kept_for_servers,
        managed,
    )
}
