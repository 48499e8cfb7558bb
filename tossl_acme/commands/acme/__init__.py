"""::tossl::acme, one file for each part of the life cycle: thin adapters between Tcl words and the rooms below.

Imports of those rooms stand inside the functions, so that `package require` loads none of them. What several commands
take means the same in all of them:

directory_url      the CA: its https directory URL, or the short name of a public one (letsencrypt, letsencrypt-staging,
                   zerossl, google, google-staging, sslcom, sslcom-ecc, actalis)
account_key        the account's private key, PEM text: tossl::key::generate makes one
email              a mail address for the account, with or without mailto:; may be empty
contact            a list of further contacts: mail addresses, or URLs such as tel:
order_url          the `url` of an order
authorization_url  the `url` of an authorization
challenge_url      the `url` of one of an authorization's challenges
token              the `token` of the challenge
provider           the DNS provider: cloudflare, or generic (POSTs to -endpoint)
api_key            what the provider gives access for: at cloudflare an API token, or email:global-key; a bearer token
                   for generic
zone_id            the provider's id of the DNS zone; found by its name where it is not given
-endpoint url      where generic has its service: {"fqdn", "value"} is POSTed as JSON to url/present and url/cleanup
-resolvers list    DNS servers (host or host:port) to ask for the record in place of the zone's authoritative servers;
                   without it TOSSL_RESOLVERS of the environment is looked at
-propagation_timeout seconds
                   how long to wait until the record is seen; 0 does not look
-eab_kid id        external account binding: the key id that the CA gave; zerossl, google, sslcom, actalis and every CA
                   whose directory says externalAccountRequired take no new account without
-eab_hmac_key key  its key, base64url, as the CA shows it
-eab_alg name      its algorithm: HS256, HS384 or HS512
-agree_tos boolean
                   whether to agree to the CA's terms of service, whose URL is termsOfService in the directory's meta;
                   with 0 a CA that has terms is not asked
-profile name      one of the profiles in the directory's meta; another is refused before anything is ordered
-not_before time   when the certificate is to begin, epoch seconds or RFC 3339; few CAs take the wish
-not_after time    when it is to end, likewise

Errors:
TOSSL VALUE directory_url
                        neither an https URL nor a CA's short name
TOSSL VALUE order_url   not an https URL
TOSSL VALUE authorization_url
                        not an https URL
TOSSL VALUE challenge_url
                        not an https URL
TOSSL VALUE certificate_url
                        not an https URL
TOSSL VALUE email       not one mail address
TOSSL VALUE contact     not mail addresses and URLs
TOSSL VALUE token       not base64url
TOSSL VALUE api_key     a character that no key has
TOSSL VALUE zone_id     a character that no zone id has
TOSSL VALUE endpoint    missing for generic, or not an https URL (http on loopback)
TOSSL VALUE resolvers   not hosts
TOSSL VALUE eab_kid     a CA that wants a binding, without one; or only one of id and key
TOSSL VALUE eab_hmac_key  not base64url
TOSSL VALUE eab_alg     none of the three
TOSSL VALUE agree_tos   the CA has terms of service that are not agreed to
TOSSL VALUE profile     not offered by the CA
TOSSL VALUE not_before  not a time
TOSSL VALUE not_after   not a time, or not later than -not_before
Errors with account_key:
TOSSL KEY kind          a key that cannot be used: format, public, encrypted, weak, size, type or curve

Errors with directory_url:
TOSSL ACME type status  the CA refused: the problem's type and the HTTP status (0 for a problem that stood in an object)

Errors with -timeout:
TOSSL HTTP kind         no usable answer: connect, tls, dns, reset, too_large, malformed, redirect, scheme or status
TOSSL TIMEOUT what      the time was over while waiting for that
"""

from __future__ import annotations

from .account import change_account_key, create_account, deactivate_account, get_account, list_orders, update_account
from .authorization import (
    answer_challenge,
    create_authorization,
    deactivate_authorization,
    get_authorization,
    wait_authorization,
)
from .certificate import download_certificate, finalize_order, renewal_info, revoke_certificate
from .challenge import cleanup_challenge, http01_challenge, tls_alpn01_challenge
from .directory import directory
from .dns_challenge import cleanup_dns, dns01_challenge, dns_account01_challenge, dns_persist01_record
from .obtain import get_account_key, obtain_certificate
from .order import create_order, get_order, wait_order

COMMANDS = (
    directory,
    create_account,
    get_account,
    get_account_key,
    update_account,
    change_account_key,
    deactivate_account,
    list_orders,
    create_order,
    get_order,
    wait_order,
    create_authorization,
    get_authorization,
    wait_authorization,
    deactivate_authorization,
    http01_challenge,
    tls_alpn01_challenge,
    dns01_challenge,
    dns_account01_challenge,
    dns_persist01_record,
    answer_challenge,
    cleanup_challenge,
    cleanup_dns,
    finalize_order,
    download_certificate,
    revoke_certificate,
    renewal_info,
    obtain_certificate,
)
