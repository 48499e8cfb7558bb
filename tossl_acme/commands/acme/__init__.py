"""::tossl::acme, one file for each part of the life cycle: thin adapters between Tcl and the rooms below.

Imports of those rooms stand inside the functions, so that `package require` loads none of them. Options that many
commands share are in commands/groups.py; these arguments mean the same in all commands too:

order_url          the `url` of an order
authorization_url  the `url` of an authorization
challenge_url      the `url` of one of an authorization's challenges
token              the `token` of the challenge

Errors:
TOSSL VALUE order_url   not an https URL
TOSSL VALUE authorization_url
                        not an https URL
TOSSL VALUE challenge_url
                        not an https URL
TOSSL VALUE certificate_url
                        not an https URL
TOSSL VALUE token       not base64url
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
from .challenge import cleanup_challenge, http01_challenge, http01_response, tls_alpn01_challenge
from .directory import directory
from .dns_challenge import cleanup_dns, dns01_challenge, dns_account01_challenge, dns_persist01_record
from .imported import import_certificate
from .kept import check_certificates, forget_certificate, get_certificate, list_certificates
from .manage import manage
from .obtain import get_account_key, obtain_certificate
from .order import create_order, get_order, wait_order
from .renew import renew_certificate, renew_certificates

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
    http01_response,
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
    renew_certificate,
    renew_certificates,
    list_certificates,
    get_certificate,
    check_certificates,
    forget_certificate,
    import_certificate,
    manage,
)
