"""The keys that a page documents are the keys of a result: of each command that returns a dict, called in earnest."""

from __future__ import annotations

import pprint
import re
import secrets
from pathlib import Path

import pytest

from docs.generator.page import manuals
from tests.python.test_docs_steps import documented_steps
from tests.servers.httpreq import HttpReq
from tests.servers.pebble import Pebble
from tests.servers.scripted_ca import ScriptedCa
from tests.tclhost import Tcl, new_key
from tossl_acme.tcl.manual import Manual

MANUALS = {manual.name.removeprefix("tossl::"): manual for each in manuals().values() for manual in each}
#: A command's keys are these of another, too.
AS = re.compile(r"\bas (\w+)(?: -\w+(?: [01])?)? (?:does|returns)\b|\bmembers of (\w+_\w+)")
#: A CA may add members to its own objects.
OF_A_CA = re.compile(r"the CA's whole|a CA may add|the CA's object")


def sources(manual: Manual) -> list[Manual]:
    """Returns the command and those whose result its own is like."""
    said = " ".join(manual.text.returns.paragraphs)
    others = (MANUALS[f"acme::{name or member}"] for name, member in AS.findall(said))
    return [manual, *(source for other in others for source in sources(other))]


def keys_of(manual: Manual) -> set[str]:
    """Returns the keys of its own section: each is in some result of the calls below."""
    return {key for term in manual.results for key in term.split()}


def documented(manual: Manual) -> set[str]:
    return {key for source in sources(manual) for key in keys_of(source)}


def is_of_a_ca(manual: Manual) -> bool:
    return any(OF_A_CA.search(" ".join(source.text.returns.paragraphs)) for source in sources(manual))


class Results:
    """Calls commands, and notes the keys of their results."""

    def __init__(self, tcl: Tcl) -> None:
        self._tcl = tcl
        self.seen: dict[str, set[str]] = {}
        #: The steps of each command that was called with -progress.
        self.steps: dict[str, list[str]] = {}

    def has_progress(self, name: str) -> bool:
        return any(option.name == "-progress" for option in MANUALS[name].options)

    def acme(self, name: str, *words: object, **options: object) -> str:
        """Calls a command, and notes its steps."""
        if self.has_progress(f"acme::{name}"):
            self._tcl.eval("set ::steps {}; proc ::note_step facts {lappend ::steps [dict get $facts step]}")
            options = {"progress": "note_step", **options}
        result = self._tcl.acme(name, *words, **options)
        if "progress" in options:
            self.steps.setdefault(name, []).extend(self._tcl.eval("set ::steps").split())
        return result

    def note(self, name: str, result: dict[str, str]) -> dict[str, str]:
        self.seen.setdefault(name, set()).update(result)
        return result

    def __call__(self, name: str, *words: object, **options: object) -> dict[str, str]:
        return self.note(f"acme::{name}", self._tcl.as_dict(self.acme(name, *words, **options)))

    def script(self, name: str, *words: str) -> dict[str, str]:
        return self.note(name, self._tcl.as_dict(self._tcl.eval(" ".join((f"tossl::{name}", *words)))))

    def script_list(self, name: str, *words: str) -> None:
        for each in self._tcl.dicts(self._tcl.eval(" ".join((f"tossl::{name}", *words)))):
            self.note(name, each)

    def listed(self, name: str, **options: object) -> None:
        for each in self._tcl.dicts(self._tcl.acme(name, **options)):
            self.note(f"acme::{name}", each)


@pytest.fixture
def results(
    tcl: Tcl, calm_pebble: Pebble, scripted_ca: ScriptedCa, httpreq: HttpReq, tmp_path: Path
) -> Results:
    found = Results(tcl)
    call_accounts(tcl, found, calm_pebble.directory)
    certificate = call_steps(tcl, found, calm_pebble, httpreq, tmp_path)
    found("directory", scripted_ca.directory)
    found("create_account", scripted_ca.directory, key := new_key(), "", agree_tos=1, return_details=1)
    found("create_authorization", scripted_ca.directory, key, "a.example.com")
    found("renewal_info", scripted_ca.directory, certificate)
    call_kept(tcl, found, calm_pebble, tmp_path / "store")
    call_local(found, tmp_path)
    tcl.eval("tossl::Require tossl::testing")
    found.script("testing::constraints")
    found.script("testing::certificate")
    found.script("testing::ca::start")
    tcl.eval("tossl::testing::ca stop")
    return found


def call_accounts(tcl: Tcl, call: Results, ca: str) -> None:
    key, new = new_key(), new_key()
    call("directory", ca)
    call("create_account", ca, key, "a@example.com", return_details=1)
    call("get_account", ca, key)
    call("update_account", ca, key, "b@example.com")
    call("change_account_key", ca, key, new)
    call.acme("create_order", ca, new, "a.example.com")
    call.acme("list_orders", ca, new)
    call.acme("deactivate_account", ca, new)


def call_steps(tcl: Tcl, call: Results, pebble: Pebble, httpreq: HttpReq, folder: Path) -> str:
    ca, key, name = pebble.directory, new_key(), f"{secrets.token_hex(4)}.example.com"
    call.acme("create_account", ca, key, "a@example.com")
    order = call("create_order", ca, key, [name, f"*.{name}"], return_details=1)
    for authorization in tcl.dicts(order["authorizations"]):
        call("get_authorization", ca, key, authorization["url"])
    call("deactivate_authorization", ca, key, authorization["url"])
    order = call("create_order", ca, key, f"one.{name}", return_details=1)
    (authorization,) = tcl.dicts(order["authorizations"])
    of = {each["type"]: each for each in tcl.dicts(authorization["challenges"])}
    words = (f"one.{name}", of["http-01"]["token"], key)
    call("http01_challenge", *words, webroot=folder)
    call.acme("cleanup_challenge", *words)
    call("tls_alpn01_challenge", *words, port=0)
    dns = {"endpoint": httpreq.url, "propagation": "none", "follow_cname": 0}
    shown = call("dns01_challenge", *words, "generic", httpreq.token, **dns)
    record = shown["dns_record_name"]
    call.acme("cleanup_dns", words[0], record, "generic", httpreq.token, endpoint=httpreq.url, follow_cname=0)
    url = tcl.dict("get_account", ca, key)["url"]
    call("dns_account01_challenge", *words, "generic", httpreq.token, account_url=url, **dns)
    call("dns_persist01_record", ca, key, name, issuer="ca.example", propagation_timeout=0)
    call("http01_challenge", *words, port=pebble.http_port)
    call("answer_challenge", ca, key, of["http-01"]["url"])
    call("wait_authorization", ca, key, authorization["url"])
    call.acme("cleanup_challenge", *words)
    private = tcl.as_dict(tcl.eval("tossl::key::generate -type ec"))["private"]
    call("finalize_order", ca, key, order["url"], private_key=private)
    done = call("wait_order", ca, key, order["url"])
    call("get_order", ca, key, order["url"])
    certificate = call("download_certificate", ca, key, done["certificate"])["certificate"]
    call.acme("revoke_certificate", ca, key, certificate)
    return certificate


def call_kept(tcl: Tcl, call: Results, pebble: Pebble, store: Path) -> None:
    options = {"directory": pebble.directory, "port": pebble.http_port, "store": store}
    name = f"{secrets.token_hex(4)}.example.com"
    call("obtain_certificate", name, **options)
    call("obtain_certificate", name, **options)
    call("renew_certificate", name, store=store)
    call("renew_certificates", store=store)
    call("get_certificate", name, store=store)
    call("check_certificates", store=store)
    (store / "other" / "renewal").mkdir(parents=True)
    call("import_certificate", "certbot", store / "other", store=store)
    (store / "certificates" / "damaged.example.com").mkdir()
    (store / "certificates" / "damaged.example.com" / "certificate.json").write_text("{")
    call.listed("list_certificates", store=store)
    key = tcl.eval("tossl::store::generate_key")
    sealed = f"-seal_key {key} -progress note_step"
    for name, words in (("store::reseal", f"-store {store}"), ("store::copy", f"{store} {store}.copy")):
        tcl.eval("set ::steps {}")
        call.script(name, words, sealed)
        call.steps[name] = tcl.eval("set ::steps").split()


def call_local(call: Results, folder: Path) -> None:
    call.script("http::get", "http://127.0.0.1:1/")
    for url in ("://x", "http://127.0.0.1:1/"):
        call.script("http::get", url, "-return_details 1")
    call.script("job::configure")
    call.script("log::configure")
    call.script("key::generate", "-type ec")
    call.script("key::generate", "-type rsa")
    call.script("key::self_signed", "a.example.com")
    call.script_list("doctor")
    call.script("support", f"-store {{}} -output {{{folder}/support.tar.gz}}")


def differences(seen: dict[str, set[str]]) -> dict[str, tuple[set[str], set[str]]]:
    """Returns by command what is documented and missing, and what is there and not documented."""
    found = {}
    for name, keys in seen.items():
        manual = MANUALS[name]
        more = set() if is_of_a_ca(manual) else keys - documented(manual)
        missing = keys_of(manual) - keys
        if more or missing:
            found[name] = (missing, more)
    return found


def test_documented_keys_are_those_of_results_and_commands_report_documented_steps(results: Results) -> None:
    different = differences(results.seen)
    assert not different, pprint.pformat(different)
    assert {name for name, manual in MANUALS.items() if documented(manual)} == set(results.seen)
    check_steps(results)


def check_steps(results: Results) -> None:
    """Each command that takes -progress reports steps, unless it only waits for locks of the store, or goes on."""
    acme = [name for name in MANUALS if name.startswith("acme::") and results.has_progress(name)]
    waiting = {name.removeprefix("acme::") for name in acme}
    assert set(results.steps) >= waiting - {"manage", "forget_certificate", "get_account_key"}
    silent = {name for name, steps in results.steps.items() if not steps}
    assert silent <= {"renew_certificates", "import_certificate"}  # nothing is due, nothing is there
    assert {step for steps in results.steps.values() for step in steps} <= set(documented_steps())
    assert results.steps["dns01_challenge"] == ["presented"]
    assert results.steps["cleanup_dns"] == ["cleaned_up"]
