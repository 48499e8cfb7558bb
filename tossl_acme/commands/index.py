"""What Tcl has to know of each command, by its module: `package require` loads this alone.

Made by `make docs` from the commands: their names below ::tossl, their arguments, and the Tcl files of some.
"""

# ruff: noqa: E501
from __future__ import annotations

_HERE = __file__.rpartition("/")[0]
INDEX = {
    "tossl_acme.commands.acme.directory": (
        ("acme::directory", ("directory_url", "args"), ""),
    ),
    "tossl_acme.commands.acme.account": (
        ("acme::create_account", ("directory_url", "account_key", "email", ("contact", ()), "args"), ""),
        ("acme::get_account", ("directory_url", "account_key", "args"), ""),
        ("acme::update_account", ("directory_url", "account_key", "email", ("contact", ()), "args"), ""),
        ("acme::change_account_key", ("directory_url", "account_key", "new_key", "args"), ""),
        ("acme::deactivate_account", ("directory_url", "account_key", "args"), ""),
        ("acme::list_orders", ("directory_url", "account_key", "args"), ""),
    ),
    "tossl_acme.commands.acme.order": (
        ("acme::create_order", ("directory_url", "account_key", "domains", "args"), ""),
        ("acme::get_order", ("directory_url", "account_key", "order_url", "args"), ""),
        ("acme::wait_order", ("directory_url", "account_key", "order_url", "args"), ""),
    ),
    "tossl_acme.commands.acme.authorization": (
        ("acme::create_authorization", ("directory_url", "account_key", "domain", "args"), ""),
        ("acme::get_authorization", ("directory_url", "account_key", "authorization_url", "args"), ""),
        ("acme::wait_authorization", ("directory_url", "account_key", "authorization_url", "args"), ""),
        ("acme::deactivate_authorization", ("directory_url", "account_key", "authorization_url", "args"), ""),
        ("acme::answer_challenge", ("directory_url", "account_key", "challenge_url", "args"), ""),
    ),
    "tossl_acme.commands.acme.challenge": (
        ("acme::http01_challenge", ("domain", "token", "account_key", "args"), ""),
        ("acme::http01_response", ("token", "args"), ""),
        ("acme::tls_alpn01_challenge", ("domain", "token", "account_key", "args"), ""),
        ("acme::cleanup_challenge", ("domain", "token", "account_key", "args"), ""),
    ),
    "tossl_acme.commands.acme.dns_challenge": (
        ("acme::dns01_challenge", ("domain", "token", "account_key", "provider", "api_key", ("zone_id", ""), "args"), ""),
        ("acme::dns_account01_challenge", ("domain", "token", "account_key", "provider", "api_key", ("zone_id", ""), "args"), ""),
        ("acme::dns_persist01_record", ("directory_url", "account_key", "domain", "args"), ""),
        ("acme::cleanup_dns", ("domain", "record_name", "provider", "api_key", ("zone_id", ""), "args"), ""),
    ),
    "tossl_acme.commands.acme.certificate": (
        ("acme::finalize_order", ("directory_url", "account_key", "order_url", "args"), ""),
        ("acme::download_certificate", ("directory_url", "account_key", "certificate_url", "args"), ""),
        ("acme::revoke_certificate", ("directory_url", "account_key", "certificate", "args"), ""),
        ("acme::renewal_info", ("directory_url", "certificate", "args"), ""),
    ),
    "tossl_acme.commands.acme.obtain": (
        ("acme::get_account_key", ("directory_url", "args"), ""),
        ("acme::obtain_certificate", ("domains", "args"), ""),
    ),
    "tossl_acme.commands.acme.renew": (
        ("acme::renew_certificate", ("name", "args"), ""),
        ("acme::renew_certificates", ("args",), ""),
    ),
    "tossl_acme.commands.acme.kept": (
        ("acme::list_certificates", ("args",), ""),
        ("acme::get_certificate", ("name", "args"), ""),
        ("acme::check_certificates", (("files", ()), "args"), ""),
        ("acme::forget_certificate", ("name", "args"), ""),
    ),
    "tossl_acme.commands.acme.imported": (
        ("acme::import_certificate", ("program", "path", "args"), ""),
    ),
    "tossl_acme.commands.acme.manage": (
        ("acme::manage", ("certificates", "args"), ""),
    ),
    "tossl_acme.commands.http": (
        ("http::get", ("url", "args"), ""),
    ),
    "tossl_acme.commands.job": (
        ("job::result", ("job",), ""),
        ("job::status", ("job",), ""),
        ("job::wait", ("job", "args"), ""),
        ("job::cancel", ("job",), ""),
        ("job::list", (), ""),
        ("job::forget", ("job",), ""),
        ("job::configure", ("args",), ""),
    ),
    "tossl_acme.commands.key": (
        ("key::generate", ("args",), ""),
        ("key::self_signed", ("names", "args"), ""),
    ),
    "tossl_acme.commands.dns": (
        ("dns::register", ("name", "args"), ""),
        ("dns::providers", (), ""),
    ),
    "tossl_acme.commands.tls": (
        ("tls::socket", ("port", "args"), f"{_HERE}/tls.tcl"),
    ),
    "tossl_acme.commands.naviserver": (
        ("naviserver::init", ("certificates",), f"{_HERE}/naviserver.tcl"),
    ),
    "tossl_acme.commands.log": (
        ("log::configure", ("args",), ""),
    ),
    "tossl_acme.commands.store": (
        ("store::copy", ("source", "target", "args"), ""),
        ("store::reseal", ("args",), ""),
        ("store::generate_key", (), ""),
    ),
    "tossl_acme.commands.doctor": (
        ("doctor", (("names", ()), "args"), ""),
    ),
    "tossl_acme.commands.help": (
        ("help", (("command", ""),), ""),
    ),
    "tossl_acme.commands.support": (
        ("support", ("args",), ""),
    ),
    "tossl_acme.commands.testing": (
        ("testing::certificate", ("args",), ""),
        ("testing::constraints", (), ""),
    ),
    "tossl_acme.commands.testing.ca": (
        ("testing::ca::start", ("args",), ""),
        ("testing::ca::stop", (("ca", ()),), ""),
    ),
}
