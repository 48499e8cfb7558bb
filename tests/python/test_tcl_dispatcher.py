"""The way between Tcl and Python where Python is the host, on tkinter; as tests/tcl/dispatcher.test does."""

from __future__ import annotations

import errno
import random
import sys
from pathlib import Path

import pytest

import tossl_acme
import tossl_acme.commands
from tossl_acme.errors import foreign_error
from tossl_acme.tcl.values import to_tcl

tkinter = pytest.importorskip("tkinter")

PROBE = Path(__file__).parents[1] / "tcl" / "probe"
CHARACTERS = "a0 \0\t\n{}[]\\$\";#-é\xff€\ud7ff\ud800\udfff\uffff😀\U0010ffff"


@pytest.fixture
def tcl(monkeypatch):
    """An interpreter that has the commands of the probe too."""
    packages = tossl_acme.commands.PACKAGES
    monkeypatch.setitem(packages, "tossl", (*packages["tossl"], "tossl_acme.commands.probe"))
    monkeypatch.setattr(tossl_acme.commands, "__path__", [*tossl_acme.commands.__path__, str(PROBE)])
    interpreter = tkinter.Tcl()
    tossl_acme.register(interpreter)
    return interpreter


def options_of(tcl, *words):
    """errorCode and errorInfo of a command that fails."""
    with pytest.raises(tkinter.TclError):
        tcl.call(*words)
    return {"code": tcl.eval("set ::errorCode"), "info": tcl.eval("set ::errorInfo")}


def test_the_package_is_there(tcl):
    assert tcl.eval("package require tossl 0.1") == tossl_acme.__version__
    assert tcl.eval("package require tossl::acme") == tossl_acme.__version__


@pytest.mark.parametrize("form", [lambda tcl: tcl, lambda tcl: tcl.tk])
def test_any_tkinter_interpreter_will_do(form):
    interpreter = tkinter.Tcl()
    tossl_acme.register(form(interpreter))
    assert interpreter.eval("info commands ::tossl::acme::create_order") == "::tossl::acme::create_order"


def test_the_acme_commands_alone():
    interpreter = tkinter.Tcl()
    tossl_acme.register(interpreter, "tossl::acme")
    assert interpreter.eval("info commands ::tossl::key::*") == ""
    assert interpreter.eval("package provide tossl") == ""
    assert interpreter.eval("info commands ::tossl::acme::create_order") == "::tossl::acme::create_order"


def test_wrong_arguments_are_tcls_own(tcl):
    with pytest.raises(tkinter.TclError, match='wrong # args: should be "tossl::probe::echo text"'):
        tcl.eval("tossl::probe::echo")


def test_arguments_have_types(tcl):
    words = ("a", "-3", "-whole", "0x10", "-yes", "on", "-names", "a {b c}", "-pairs", "k {v w}")
    values = tcl.splitlist(tcl.call("tossl::probe::types", *words))
    assert values[1::2] == ("'a'", "-3", "''", "16", "0.5", "True", "['a', 'b c']", "{'k': 'v w'}", "None")


def test_an_error_has_its_code_and_no_argument(tcl):
    options = options_of(tcl, "tossl::probe::fail", "other", "-secret", "sesame")
    assert options["code"] == "TOSSL INTERNAL"
    assert "sesame" not in options["info"]
    assert options_of(tcl, "tossl::probe::types", "a", "x")["code"] == "TOSSL VALUE second"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EMFILE, "Too many open files"), ("RESOURCE", "descriptors")),
        (RuntimeError("can't start new thread"), ("RESOURCE", "threads")),
        (MemoryError(), ("RESOURCE", "memory")),
        (OSError(errno.EIO, "I/O error"), ("INTERNAL",)),
    ],
)
def test_what_the_process_is_out_of_is_no_defect(error, code):
    assert foreign_error(error).errorcode == ("TOSSL", *code)


def random_words(seed, count, longest):
    """Texts of odd characters, without halves of characters side by side: those are one character."""
    source = random.Random(seed)
    for _ in range(count):
        text = "".join(source.choices(CHARACTERS, k=source.randrange(longest)))
        yield "".join(c for i, c in enumerate(text) if not ("\ud800" <= c <= "\udfff" and i % 2))


def tcl_word(text):
    """A Tcl expression for a text, written in ASCII, for tkinter cannot hand over halves of characters."""
    units = text.encode("utf-16-be", "surrogatepass").hex()
    return '"' + "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)) + '"'


def test_any_string_arrives(tcl):
    for text in random_words(1, 2000, 12):
        points = " ".join(str(ord(character)) for character in text)
        assert tcl.eval(f"tossl::probe::points {tcl_word(text)}") == points


def test_any_string_comes_back(tcl):
    for text in random_words(2, 2000, 12):
        assert tcl.eval(f"string equal [tossl::probe::echo {tcl_word(text)}] {tcl_word(text)}") == "1"


def test_any_list_there_and_back(tcl):
    source = random.Random(3)
    for _ in range(500):
        words = " ".join(map(tcl_word, random_words(source.random(), 5, 5)))
        tcl.eval(f"set given [list {words}]; set back [tossl::probe::domains $given]")
        assert tcl.eval("string equal $back $given") == "1"


def test_ten_megabytes(tcl):
    text = "é\0😀" * 2_000_000
    assert tcl.call("tossl::probe::echo", text) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "1"),
        (False, "0"),
        (None, ""),
        (12, "12"),
        (b"\x00\xff", b"\x00\xff"),
        ({"a": [1, {"b": None}]}, ("a", ("1", ("b", "")))),
        ((), ()),
    ],
)
def test_results(value, expected):
    assert to_tcl(value) == expected


def test_a_job_calls_back_from_the_event_loop(tcl):
    tcl.eval("proc done job {lappend ::seen [tossl::job::result $job]}; proc step facts {lappend ::seen $facts}")
    tcl.eval("set seen {}; tossl::probe::wait 0.01 -progress step -command done")
    assert tcl.eval("set seen") == ""
    tcl.eval("after 5000 {lappend seen late}; while {[llength $seen] < 3} {vwait seen}")
    assert tcl.eval("lindex $seen 2") == "waited 0.01 loud 0 limit 5"
    assert tcl.eval("lindex $seen 1") == "step waited"


def test_a_job_is_cancelled(tcl):
    tcl.eval("set job [tossl::probe::wait 4 -command {}]; after 20 [list tossl::job::cancel $job]")
    assert tcl.eval("tossl::job::wait $job") == "cancelled"


def test_the_environment_is_that_of_the_script(tcl):
    tcl.eval("set ::env(TOSSL_SAID) hello")
    assert tcl.eval("tossl::probe::environment TOSSL_SAID") == "hello"
    tcl.eval("unset ::env(TOSSL_SAID)")
    assert tcl.eval("tossl::probe::environment TOSSL_SAID") == ""


def run(*words, **options):
    """`python -m tossl_acme` with these words."""
    import subprocess

    command = [sys.executable, "-m", "tossl_acme", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def test_a_script(tmp_path):
    script = tmp_path / "script.tcl"
    script.write_text("puts [list $argv $argc $tcl_interactive [file tail $argv0] [package require tossl]]; exit 3")
    done = run(script, "a b", "c")
    assert (done.stdout, done.returncode) == (f"{{{{a b}} c}} 2 0 script.tcl {tossl_acme.__version__}\n", 3)


def test_a_script_that_fails(tmp_path):
    script = tmp_path / "script.tcl"
    script.write_text("puts before\nerror ouch")
    done = run(script)
    assert (done.stdout, done.returncode) == ("before\n", 1)
    assert done.stderr == f'ouch\n    while executing\n"error ouch"\n    (file "{script}" line 2)\n'


def test_a_script_that_has_its_own_exit_and_deletes_the_namespace(tmp_path):
    script = tmp_path / "script.tcl"
    script.write_text("package require tossl; namespace delete ::tossl; proc exit args {error no}; puts -nonewline hi")
    done = run(script)
    assert (done.stdout, done.stderr, done.returncode) == ("hi", "", 0)


def test_commands_from_standard_input():
    done = run(input="error ouch\nputs {a\nb}\n")
    assert (done.stdout, done.stderr, done.returncode) == ("a\nb\n", "ouch\n", 0)


def test_a_prompt_that_fails_and_a_file_that_has_no_name_in_utf_8(tmp_path):
    done = run(input="set tcl_interactive 1\nset tcl_prompt1 {error ouch}\nputs a\nset tcl_interactive x\nputs b\n")
    assert (done.stdout, done.stderr, done.returncode) == ("1\n% error ouch\n% a\n% b\n", "ouch\nouch\n", 0)
    script = tmp_path / "\udcff.tcl"
    script.write_text("puts hi")
    assert run(script).stderr.endswith(".tcl\": its name is not UTF-8\n")


def test_exit_in_the_middle_of_jobs(tmp_path):
    script = tmp_path / "script.tcl"
    script.write_text(
        "package require tossl\n"
        "tossl::http::get http://127.0.0.1:1/ -command list\n"
        "exit 5\n"
    )
    assert run(script).returncode == 5
