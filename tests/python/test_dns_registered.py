"""Providers that are written in Tcl: called in their interpreter's thread, from wherever the issuance runs."""

from __future__ import annotations

import threading
import tkinter
from collections.abc import Iterator
from typing import Any

import pytest

import tossl_acme
from tests.tclhost import Tcl, new_key
from tossl_acme.context import Context
from tossl_acme.dns import registered
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.registry import open_provider, provider_names
from tossl_acme.errors import ArgumentError, Cancelled, DnsError

SCRIPT = """
namespace eval zone {variable records {}; variable threads {}}
proc zone::present {mark name value} {
    variable records; variable threads
    lappend records [list $name $value]
    lappend threads [thread]
}
proc zone::cleanup {mark name value} {
    variable records; variable threads
    set at [lsearch -exact $records [list $name $value]]
    if {$at >= 0} {set records [lreplace $records $at $at]}
    lappend threads [thread]
}
proc zone::listed {name} {
    variable records
    lmap record $records {if {[lindex $record 0] ne $name} continue; lindex $record 1}
}
"""
REGISTER = "tossl::dns::register {} -present {{zone::present x}} -cleanup {{zone::cleanup x}}"


@pytest.fixture(autouse=True)
def _none_registered() -> Iterator[None]:
    yield
    registered.reset()


@pytest.fixture
def tk() -> Any:
    """An interpreter with a zone in it; `thread` returns the thread's number."""
    tk = tkinter.Tcl().tk
    tossl_acme.register(tk)
    tk.createcommand("thread", threading.get_ident)
    tk.eval(SCRIPT)
    return tk


def challenge(tk: Any, name: str, *options: str, api_key: str = "") -> tuple[int, str, str]:
    words = ("tossl::acme::dns01_challenge", "a.example", "token", new_key(), name, api_key, *options)
    code = int(tk.call("catch", (*words, "-propagation_timeout", "0"), "::result", "::options"))
    return code, str(tk.eval("set ::result")), str(tk.eval("dict get $::options -errorcode") if code else "")


def test_a_blocking_call_and_a_job(tk: Any) -> None:
    tk.eval(REGISTER.format("mine"))
    assert "mine" in provider_names()
    assert tk.eval("dict get [tossl::dns::providers] mine") == ""
    code, shown, _ = challenge(tk, "MINE")
    assert code == 0
    value = tk.eval("dict get $::result dns_record_value")
    assert tk.splitlist(tk.eval("lindex $zone::records 0")) == ("_acme-challenge.a.example", value)
    assert challenge(tk, "mine", "-command", "")[0] == 0
    assert tk.eval("set job $::result; tossl::job::wait $job -timeout 10") == "done"
    assert len(tk.splitlist(tk.eval("set zone::records"))) == 2
    removed = "tossl::acme::cleanup_dns a.example _acme-challenge.a.example mine {}"
    assert tk.eval(removed) == "DNS record deleted successfully"
    assert tk.eval("set zone::records") == ""
    assert set(tk.splitlist(tk.eval("set zone::threads"))) == {str(threading.get_ident())}
    assert shown


def test_values_that_the_script_lists(tk: Any, context: Context) -> None:
    tk.eval(f"{REGISTER.format('mine')} -list zone::listed")
    mine = open_provider(ProviderOptions("mine"))
    mine.publish(context, "a", "1")
    mine.publish(context, "a", "1")  # it is there already
    mine.publish(context, "a", "two words")
    assert tk.eval("set zone::records") == "{a 1} {a {two words}}"
    assert mine.remove(context, "a", "3") == []
    assert mine.remove(context, "a", None) == ["1", "two words"]
    assert tk.eval("set zone::records") == ""


def test_without_a_list_a_value_is_needed(tk: Any, context: Context) -> None:
    tk.eval(REGISTER.format("mine"))
    mine = open_provider(ProviderOptions("mine"))
    with pytest.raises(DnsError) as caught:
        mine.remove(context, "a", None)
    assert caught.value.errorcode == ("TOSSL", "DNS", "mine", "unsupported")


@pytest.mark.parametrize("job", [(), ("-command", "")], ids=["blocking", "job"])
@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("error {no such zone}", "refused", "no such zone"),
        ("throw {TOSSL DNS mine zone} {no zone}", "zone", "no zone"),
        ("throw {TOSSL DNS other credentials} {wrong key}", "credentials", "wrong key"),
        ("throw {TOSSL DNS mine odd} odd", "refused", "odd"),
        ("throw {POSIX ENOENT {no file}} {no file}", "refused", "no file"),
        ("break", "refused", 'invoked "break" outside of a loop'),
    ],
    ids=["error", "zone", "credentials", "odd", "posix", "break"],
)
def test_errors_become_the_providers(tk: Any, job: tuple[str, ...], script: str, kind: str, words: str) -> None:
    tk.eval(f"proc fails args {{{script}}}; tossl::dns::register mine -present fails -cleanup zone::cleanup")
    code, message, errorcode = challenge(tk, "mine", *job)
    if job:
        assert tk.eval("set job $::result; tossl::job::wait $job -timeout 10") == "error"
        code = int(tk.eval("catch {tossl::job::result $job} ::result ::options"))
        message, errorcode = tk.eval("set ::result"), tk.eval("dict get $::options -errorcode")
    assert (code, message) == (1, f"Failed to create DNS record: {words}")
    assert errorcode == f"TOSSL DNS mine {kind}"


def test_a_list_that_is_no_list(tk: Any, context: Context) -> None:
    tk.eval(f"proc broken name {{return a\\ \\{{}}; {REGISTER.format('mine')} -list broken")
    with pytest.raises(DnsError, match="it returned no list"):
        open_provider(ProviderOptions("mine")).publish(context, "a", "1")


def test_names(tk: Any) -> None:
    for name in ("cloudflare", "rfc-2136", "Mine", "", "two words", "x" * 25, "1st"):
        code = tk.call("catch", ("tossl::dns::register", name, "-present", "p", "-cleanup", "c"), "::m", "::o")
        assert (int(code), tk.eval("dict get $::o -errorcode")) == (1, "TOSSL VALUE name"), name
    for words in ("-present p", "-cleanup c", "-present {} -cleanup c", "-present p -cleanup c -list a\\ \\{"):
        assert int(tk.eval(f"catch {{tossl::dns::register mine {words}}}")) == 1
    with pytest.raises(DnsError):
        open_provider(ProviderOptions("mine"))


def test_it_takes_no_credentials(tk: Any) -> None:
    tk.eval(REGISTER.format("mine"))
    code, message, errorcode = challenge(tk, "mine", api_key="hush-hush")
    assert (code, errorcode) == (1, "TOSSL VALUE api_key")
    assert "hush" not in message
    with pytest.raises(ArgumentError):
        tk_options = ProviderOptions("mine", endpoint="https://x.example")
        open_provider(ProviderOptions("", by_name={"a": tk_options}).for_name("b"))


def test_a_later_registration_takes_the_place(tk: Any, context: Context) -> None:
    tk.eval("proc other args {set ::other $args}")
    tk.eval(REGISTER.format("mine"))
    tk.eval("tossl::dns::register mine -present other -cleanup other")
    open_provider(ProviderOptions("mine")).publish(context, "a", "1")
    assert tk.eval("set ::other") == "a 1"


def test_each_thread_uses_its_own(tk: Any, context: Context) -> None:
    """The threads of a server all source one file, which registers the provider."""
    tk.eval(REGISTER.format("mine"))
    done, goes_on = threading.Event(), threading.Event()

    def other_thread() -> None:
        other = tkinter.Tcl().tk
        tossl_acme.register(other)
        other.eval("tossl::dns::register mine -present list -cleanup list")
        done.set()
        goes_on.wait(20)

    thread = threading.Thread(target=other_thread)
    thread.start()
    assert done.wait(20)
    try:
        assert challenge(tk, "mine")[0] == 0
        assert challenge(tk, "mine", "-command", "")[0] == 0
        tk.eval("tossl::job::wait $::result; tossl::job::result $::result")
    finally:
        goes_on.set()
        thread.join(20)
    assert tk.eval("llength $zone::threads") == "2"
    assert challenge(tk, "mine")[0] == 0


def test_the_interpreter_is_gone(context: Context) -> None:
    parent = Tcl()
    tk = tkinter.Tcl().tk
    tossl_acme.register(tk)
    tk.eval("tossl::dns::register mine -present list -cleanup list")
    del tk, parent
    found: list[Exception] = []

    def publish() -> None:
        try:
            open_provider(ProviderOptions("mine")).publish(context, "a", "1")
        except Exception as error:  # noqa: BLE001 - looked at below
            found.append(error)

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join(20)
    assert isinstance(found[0], DnsError), found
    assert found[0].errorcode == ("TOSSL", "DNS", "mine", "unsupported")
    assert "is gone, or does not wait for calls" in found[0].message


def test_a_cancelled_job_is_a_cancelled_job(tk: Any) -> None:
    tk.eval("proc waits args {after 60 {set ::go 1}; tossl::job::cancel $::job; vwait ::go}")
    tk.eval("tossl::dns::register mine -present waits -cleanup zone::cleanup")
    challenge(tk, "mine", "-command", "")
    assert tk.eval("set job $::result; tossl::job::wait $job -timeout 10") == "cancelled"
    context = Context(5).begin()
    context.cancel()
    with pytest.raises(Cancelled):
        open_provider(ProviderOptions("mine")).publish(context, "a", "1")


def test_help(tk: Any) -> None:
    tk.eval(REGISTER.format("mine"))
    assert "A DNS provider that a script has registered." in tk.eval("tossl::help mine")
    shown = tk.eval("tossl::help rfc2136")
    assert shown.startswith("DNS provider rfc2136\n")
    for words in ("bind9.readthedocs.io", "key_secret", "RFC2136_TSIG_SECRET of the", "required", "secret"):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "RFC2136_NAMESERVER" in tk.splitlist(tk.eval("dict get [tossl::dns::providers] rfc2136"))
