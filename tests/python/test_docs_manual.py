"""Reading docstrings, and tossl::help."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tossl_acme.commands import PACKAGES
from tossl_acme.commands.groups import GROUPS
from tossl_acme.context import Context, seconds
from tossl_acme.errors import ArgumentError
from tossl_acme.tcl.command import Command, load_commands
from tossl_acme.tcl.helptext import command_text, help_text
from tossl_acme.tcl.manual import Manual, read

COMMANDS = load_commands(PACKAGES["tossl"], GROUPS)


def take(
    word: str, more: list[str] = [], *, size: int = 3, timeless: bool = False, context: Context = seconds(2.5)
) -> str:
    """Takes words.

    It does so
    at once.

    word        the first, which
                has two lines
    -size count how many
    -timeless boolean
                a long one

    Returns a dict:

    word  given back

    Errors: seldom.
    TOSSL VALUE word  it is none
    """
    return word


def test_a_docstring_in_its_parts() -> None:
    text = read(take.__doc__)
    assert text.summary == "Takes words."
    assert text.description.paragraphs == ["It does so at once.", "-size count how many"]
    assert text.description.terms == {"word": "the first, which has two lines", "-timeless boolean": "a long one"}
    assert (text.returns.paragraphs, text.returns.terms) == (["Returns a dict:"], {"word": "given back"})
    assert (text.errors.paragraphs, text.errors.terms) == (["Errors: seldom."], {"TOSSL VALUE word": "it is none"})


@pytest.mark.parametrize("docstring", [None, "", "One line."])
def test_little_or_nothing(docstring: str | None) -> None:
    text = read(docstring)
    assert text.summary == (docstring or "")
    assert not text.description.paragraphs
    assert not text.description.terms


def test_defaults_and_words_are_the_code_s() -> None:
    manual = Manual(Command("test", take))
    found = {each.name: (each.word, each.default) for each in (*manual.arguments, *manual.options)}
    assert found["word"] == ("value", "")
    assert found["more"] == ("list", "")
    assert found["-size"] == ("integer", "3")
    assert found["-timeless"] == ("boolean", "0")
    assert found["-timeout"][1] == "2.5"
    assert manual.words == ["word", "?more?", "?-option value ...?"]


def test_what_is_shared_is_said_outside() -> None:
    directory, generate = Manual(COMMANDS["acme::directory"]), Manual(COMMANDS["key::generate"])
    assert directory.arguments[0].shared
    assert {option.name for option in directory.options if option.shared} >= {"-timeout", "-ca_bundle", "-proxy"}
    assert "TOSSL ACME type status" in directory.errors(shared=True)
    assert "TOSSL KEY kind" not in directory.errors(shared=True)
    assert not generate.errors(shared=True)


@pytest.mark.parametrize("name", ["create_order", "acme::create_order", " ::tossl::acme::create_order "])
def test_a_command_by_its_names(name: str) -> None:
    assert help_text(COMMANDS, name) == command_text(Manual(COMMANDS["acme::create_order"]))


def test_one_name_in_two_namespaces() -> None:
    commands = {"a::take": Command("a", take), "b::take": Command("b", take)}
    assert [line for line in help_text(commands, "take").splitlines() if line.startswith("tossl::")] == [
        "tossl::a::take word ?more? ?-option value ...?",
        "tossl::b::take word ?more? ?-option value ...?",
    ]


def test_no_such_command() -> None:
    with pytest.raises(ArgumentError, match=r'"generat" \(near: generate, generate_key, get\)') as caught:
        help_text(COMMANDS, "generat")
    assert caught.value.errorcode == ("TOSSL", "VALUE", "command")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_terminal(name: str) -> None:
    assert max(map(len, help_text(COMMANDS, name).splitlines())) <= 80


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.__name__)
def test_every_text_of_a_group_is_of_something_that_it_takes(group: Any) -> None:
    parameters = Command("test", group, GROUPS).parameters
    known = {each.name for each in (*parameters.arguments, *parameters.options.values())}
    terms = {term.partition(" ")[0].lstrip("-") for term in read(group.__doc__).description.terms}
    assert terms <= known


def test_what_a_provider_asks_for_is_no_other_option() -> None:
    for name, command in COMMANDS.items():
        known = {each.name for each in (*command.parameters.arguments, *command.parameters.options.values())}
        for more in command.parameters.more.values():
            assert not {each.name for each in more.parameters()} & known, name


def test_the_words_that_an_option_may_have_are_those_of_its_text() -> None:
    """Of a text that leads to another command, it is that one's."""
    options: Any = Manual(COMMANDS["acme::obtain_certificate"]).as_dict(lambda: COMMANDS)["options"]
    for name in ("-challenge", "-eab_alg", "-provider", "-layout"):
        assert options[name]["choices"]
        assert all(choice in options[name]["text"] for choice in options[name]["choices"]), name
    assert "letsencrypt-staging" in options["-directory"]["choices"]
    assert not options["-email"]["choices"]


def test_the_outline_of_a_command_asks_no_provider() -> None:
    words = (
        "import sys, tossl_acme.commands.groups as groups\n"
        "from tossl_acme.tcl.command import load_commands\n"
        "from tossl_acme.tcl.manual import Manual\n"
        "commands = load_commands(['tossl_acme.commands.acme.obtain'], groups.GROUPS)\n"
        "outline = Manual(commands['acme::obtain_certificate']).outline()\n"
        "print(outline['-api_key'], outline['-force'], [name for name in sys.modules if '.dns' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)
    described: Any = Manual(COMMANDS["acme::obtain_certificate"]).as_dict(lambda: COMMANDS)["options"]
    same = [{key: described[name][key] for key in ("word", "default", "is_secret")} for name in ("-api_key", "-force")]
    assert done.stdout == f"{same[0]} {same[1]} []\n"
