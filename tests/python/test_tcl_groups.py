"""Option groups: what a command takes through them, and what becomes of its words."""

# ruff: noqa: F821 - annotations ask for groups by their text

from __future__ import annotations

import tkinter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tossl_acme
from tossl_acme.commands.groups import from_environment
from tossl_acme.context import Context, seconds
from tossl_acme.errors import ArgumentError
from tossl_acme.tcl.command import Command
from tossl_acme.tcl.manual import Manual
from tossl_acme.tcl.tkhost import TkHost
from tossl_acme.text import Secret

made: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_made() -> Iterator[None]:
    made.clear()
    yield


class Host:
    """As much of a Tcl interpreter as converting words takes."""

    class TclError(Exception):
        pass

    def splitlist(self, text: str) -> tuple[str, ...]:
        if "{" in text:
            raise self.TclError("unmatched open brace in list")
        return tuple(text.split())

    def call(self, *words: str) -> str:
        assert words[0] == "::tossl::Path"
        return f"{words[1].encode().hex()} {words[1]}"


HOST: Any = Host()


def link(*, bundle: str = "usual", retries: int = 1) -> Link:
    """How to connect.

    -bundle path    what to trust
    -retries count  how often to try

    Errors:
    TOSSL VALUE bundle  it is not there
    """
    made.append("link")
    return ("link", bundle, retries)


def server(url: str, *, link: Link) -> Server:
    """A server.

    url address  where it is
    """
    made.append("server")
    return ("server", url, link)


def client(server: Server, key: Secret) -> Client:
    """A client.

    key text  its key

    Errors with -key_file:
    TOSSL VALUE key_file  it cannot be read
    """
    made.append("client")
    return ("client", server, key.value)


def records(name: str, token: Secret | None, zone: str = "", *, link: Link) -> Records:
    """Records.

    name word   whose they are
    token text  for its API
    zone id     which zone
    """
    made.append("records")
    return ("records", name, token.value if token else None, zone, link)


GROUPS: Any = {"Link": link, "Server": server, "Client": client, "Records": records}


def order(client: Client, names: list[str], *, many: int = 2, context: Context = seconds(9)) -> Any:
    """Orders.

    names        a list
    -many count  how many
    """
    return (client, names, many)


def publish(name: str, records: Records, *, client: Client) -> Any:
    """Publishes; its name is the group's too."""


def both(client: Client, *, records: Records | None = None, last: str = "") -> Any:
    """Takes a group that may be left out."""
    return (client, records, last)


def options_alone(*, client: Client) -> Any:
    """Takes a group behind the star."""
    return client


def bound(function: Any, *words: str) -> Any:
    """What the function returns for these words, before it becomes a Tcl value."""
    call = Command("test", function, GROUPS).bind(HOST, words)
    return call.recipe.make({**call.values, "context": Context(1)}, call.left_out)


def test_groups_nest() -> None:
    command = Command("test", order, GROUPS)
    assert command.tcl_arguments() == ("url", "key", "names", "args")
    assert list(command.parameters.options) == ["-many", "-bundle", "-retries", "-timeout", "-progress", "-command"]
    assert bound(order, "u", "k", "a b", "-retries", "3") == (
        ("client", ("server", "u", ("link", "usual", 3)), "k"), ["a", "b"], 2,
    )  # fmt: skip


def test_the_arguments_of_a_group_may_be_optional() -> None:
    def show(records: Records) -> Any:
        """Shows."""
        return records

    command = Command("test", show, GROUPS)
    assert command.tcl_arguments() == ("name", "token", ("zone", ""), "args")
    assert bound(show, "n", "t", "-bundle", "b") == ("records", "n", "t", "", ("link", "b", 1))
    assert bound(show, "n", "t", "z") == ("records", "n", "t", "z", ("link", "usual", 1))


def test_a_group_met_twice_is_made_once_and_listed_once() -> None:
    command = Command("test", both, GROUPS)
    assert [name for name in command.parameters.options if "bundle" in name] == ["-bundle"]
    client, records, _ = bound(both, "u", "k", "-name", "n", "-bundle", "b")
    assert client[1][2] is records[4]
    assert made == ["link", "records", "server", "client"]  # what is made of others comes last


def test_a_group_is_left_out_where_none_of_its_own_options_is_given() -> None:
    assert bound(both, "u", "k", "-bundle", "b", "-last", "l")[1:] == (None, "l")
    assert "records" not in made
    assert bound(both, "u", "k", "-name", "n")[1][:4] == ("records", "n", None, "")


def test_a_lazy_group_is_made_when_it_is_asked_for() -> None:
    def perhaps(client: Lazy[Client], *, link: Link) -> Any:
        """Takes a group that is not always needed."""
        assert made == ["link"]
        return client(), client()

    first, second = bound(perhaps, "u", "k", "-bundle", "b")
    assert first is second
    assert first == ("client", ("server", "u", ("link", "b", 1)), "k")
    assert made == ["link", "server", "client"]


def test_the_words_of_a_call_are_those_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(
        name: str,
        *,
        words: Words,
        place: str = from_environment("TOSSL_TEST_PLACE"),
        key: Secret | None = None,
        many: int = 1,
    ) -> Any:
        """Has words."""
        return words

    monkeypatch.setenv("TOSSL_TEST_PLACE", "there")
    monkeypatch.setenv("TOSSL_TEST_KEY", "k")
    command = Command("test", told, GROUPS)
    assert command.tcl_arguments() == ("name", "args")
    said = {"name": "n", "place": "there", "key_env": "TOSSL_TEST_KEY", "many": "0x2"}
    assert bound(told, "n", "-key_env", "TOSSL_TEST_KEY", "-many", "0x2") == said


def test_an_option_without_a_default_is_required() -> None:
    assert bound(options_alone, "-url", "u", "-key", "k")[1][1] == "u"
    with pytest.raises(ArgumentError, match="-key is required") as caught:
        bound(options_alone, "-url", "u")
    assert caught.value.errorcode == ("TOSSL", "VALUE", "key")
    with pytest.raises(ArgumentError, match="-name is required"):
        bound(both, "u", "k", "-zone", "z")


def test_two_things_of_one_name_are_refused_at_once() -> None:
    with pytest.raises(TypeError, match="name is two things"):
        Command("test", publish, GROUPS).parameters


def test_words_are_converted_when_bound_and_objects_made_when_run() -> None:
    command = Command("test", order, GROUPS)
    for words, argument in (
        (("u", "k", "{"), "names"),
        (("u", "k", "a", "-retries", "x"), "retries"),
        (("u", "k", "a", "-timeout", "0"), "timeout"),
        (("u", "k", "a", "-bogus", "1"), "bogus"),
    ):
        with pytest.raises(ArgumentError) as caught:
            command.bind(HOST, words)
        assert caught.value.errorcode == ("TOSSL", "VALUE", argument)
    call = command.bind(HOST, ("u", "k", "a"))
    assert made == []
    call.run(call.begin(None))
    assert made == ["link", "server", "client"]


def test_a_secret_option_has_a_file_and_a_variable_beside_it(tmp_path, monkeypatch) -> None:
    file = tmp_path / "key"
    file.write_text("sesame\n")
    monkeypatch.setenv("THE_KEY", "open")
    assert bound(options_alone, "-url", "u", "-key_file", str(file))[2] == "sesame"
    assert bound(options_alone, "-url", "u", "-key_env", "THE_KEY")[2] == "open"
    call = Command("test", options_alone, GROUPS).bind(HOST, ("-url", "u", "-key_env", "THE_KEY"))
    assert call.values["key"] == Secret("open", env="THE_KEY")
    call = Command("test", options_alone, GROUPS).bind(HOST, ("-url", "u", "-key_file", str(file)))
    assert call.values["key"] == Secret("sesame", file=str(file))


@pytest.mark.parametrize(
    ("words", "argument", "message"),
    [
        (("-key", "k", "-key_env", "E"), "key_env", "give only one of -key and -key_env"),
        (("-key_env", "PATH", "-key", "k"), "key", "give only one of -key_env and -key"),
        (("-key_env", "TOSSL_NO_SUCH"), "key_env", '"TOSSL_NO_SUCH" is not set in the environment'),
        (("-key_env", "\ud800"), "key_env", "is not set in the environment"),
        (("-key_env", "A=\0"), "key_env", "is not set in the environment"),
        (("-key_file", "/no/such"), "key_file", 'cannot read "/no/such": No such file or directory'),
        (("-key_file", "/"), "key_file", 'cannot read "/": Is a directory'),
        (("-key_file", "/dev/null"), "key_file", '"/dev/null" is empty'),
        (("-key_file", ""), "key_file", "it is empty"),
        (("-key_file", "/dev/zero"), "key_file", "it holds more than 65536 bytes"),
    ],
)
def test_a_secret_that_is_not_there(words, argument, message) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        bound(options_alone, "-url", "u", *words)
    assert caught.value.errorcode == ("TOSSL", "VALUE", argument)
    assert made == []


@pytest.mark.parametrize("blank", ["\n", "\n\n", " \t\r\n"])
def test_a_secret_of_white_space_is_none(tmp_path, monkeypatch, blank) -> None:
    """The error names the file or the variable, as for an empty one."""
    path = tmp_path / "secret"
    path.write_text(blank)
    monkeypatch.setenv("TOSSL_BLANK", blank)
    for words, message in ((("-key_file", str(path)), '/secret" is empty'), (("-key_env", "TOSSL_BLANK"), "is empty")):
        with pytest.raises(ArgumentError, match=message):
            bound(options_alone, "-url", "u", *words)


def test_a_pipe_that_says_nothing_is_not_waited_for_long(tmp_path, monkeypatch) -> None:
    import os

    monkeypatch.setattr("tossl_acme.tcl.values._SECRET_SECONDS", 0.01)
    reader, writer = os.pipe()
    try:
        with pytest.raises(ArgumentError, match="nothing could be read from it in time"):
            bound(options_alone, "-url", "u", "-key_file", f"/dev/fd/{reader}")
        os.write(writer, b"sesame\n")
        os.close(writer)
        assert bound(options_alone, "-url", "u", "-key_file", f"/dev/fd/{reader}")[2] == "sesame"
    finally:
        os.close(reader)


def test_the_environment_says_a_default_at_the_time_of_the_call(monkeypatch) -> None:
    def tell(*, mail: str = from_environment("TOSSL_TEST_MAIL")) -> str:
        return mail

    monkeypatch.delenv("TOSSL_TEST_MAIL", raising=False)
    assert bound(tell) == ""
    monkeypatch.setenv("TOSSL_TEST_MAIL", "a@example.com")
    assert bound(tell) == "a@example.com"
    assert bound(tell, "-mail", "b@example.com") == "b@example.com"


def asked() -> dict[str, str]:
    """What only this function knows."""
    made.append("asked")
    return {"region": "str", "secret_key": "Secret"}


def cloud(name: str, *, fields: MoreOptions = asked) -> Cloud:
    """A cloud.

    name word  its name
    """
    return (name, {field: getattr(value, "value", value) for field, value in fields.items()})


def float_by(*, cloud: Cloud | None = None, high: bool = False) -> Any:
    """Floats."""
    return cloud


def test_options_that_are_known_only_when_asked_for(monkeypatch) -> None:
    monkeypatch.setitem(GROUPS, "Cloud", cloud)
    monkeypatch.setenv("CLOUD_KEY", "sesame")
    assert bound(float_by, "-name", "c") == ("c", {})
    assert bound(float_by, "-high", "1") is None
    assert made == []
    words = ("-name", "c", "-region", "north", "-secret_key_env", "CLOUD_KEY")
    assert bound(float_by, *words) == ("c", {"region": "north", "secret_key": "sesame"})
    with pytest.raises(ArgumentError, match="-name is required"):
        bound(float_by, "-region", "north")
    with pytest.raises(ArgumentError, match=r'unknown option "-zone": must be -name or -high'):
        bound(float_by, "-zone", "z")


def test_what_groups_tell_stands_in_the_manual(monkeypatch) -> None:
    monkeypatch.setitem(GROUPS, "Cloud", cloud)
    manual = Manual(Command("test", order, GROUPS))
    told = {each.name: (each.word, each.text, each.default, each.shared) for each in manual.options}
    assert told["-bundle"] == ("path", "what to trust", "usual", True)
    assert told["-many"] == ("count", "how many", "2", False)
    assert told["-timeout"][2] == "9"
    assert [each.text for each in manual.arguments] == ["where it is", "its key", "a list"]
    codes = set(manual.errors(shared=True))
    assert codes >= {"TOSSL VALUE bundle", "TOSSL VALUE timeout", "TOSSL CANCELLED"}
    assert "TOSSL VALUE key_file" not in codes  # an argument has one form
    made.clear()
    assert [each.name for each in Manual(Command("test", float_by, GROUPS)).options] == ["-name", "-high"]
    assert made == []  # what is known only when asked for is not asked for help
    assert "TOSSL VALUE key_file" in Manual(Command("test", options_alone, GROUPS)).errors(shared=True)


# ---- lists of what a group makes ----


def listed(url: str, *, key: Secret | None = None, link: Link) -> Listed:
    """One of several servers.

    url address  where it is
    -key text    its key
    """
    made.append(url)
    return (url, key.value if key else "", link)


def visit(*, at: list[Listed] = from_environment("TOSSL_TEST_SERVERS"), key: Secret | None = None) -> str:
    """Goes to all of them.

    -at list   where to go
    -key text  the visitor's own
    """
    return f"{key.value if key else ''} {at}"


LISTED: Any = {"Link": link, "Listed": listed}


def several(*words: str) -> Any:
    interpreter = tkinter.Tcl().tk
    tossl_acme.register(interpreter)
    host = TkHost(interpreter)
    return Command("", visit, LISTED).bind(host, words)


def test_each_element_takes_the_words_of_its_group(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k\n")
    call = several("-at", f"one {{two -retries 5 -key_file {tmp_path / 'key'}}}", "-key", "own")
    assert made == []
    expected = [("one", "", ("link", "usual", 1)), ("two", "k", ("link", "usual", 5))]
    assert call.run() == f"own {expected}"
    assert made == ["link", "one", "link", "two"]


def test_a_list_of_them_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert several().run() == " []"
    monkeypatch.setenv("TOSSL_TEST_SERVERS", "one {two -retries 2}")
    assert several().run() == f" {[('one', '', ('link', 'usual', 1)), ('two', '', ('link', 'usual', 2))]}"


@pytest.mark.parametrize(
    ("word", "argument", "message"),
    [
        ("one {}", "at", "-at: one of its elements is empty"),
        ("{one -retries x}", "retries", "-at: -retries: expected integer"),
        ("{one -retries}", "retries", '-at: value for "-retries" missing'),
        ("{one -colour red}", "colour", '-at: unknown option "-colour"'),
        ("{one two}", "at", "-at: expected an option"),
        ("{one", "at", "Failed to parse at: unmatched open brace"),
        ("one {two {a}b}", "at", "Failed to parse at: list element in braces"),
    ],
)
def test_an_element_that_is_wrong_is_told(word: str, argument: str, message: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        several("-at", word)
    assert raised.value.errorcode == ("TOSSL", "VALUE", argument)
    assert raised.value.message.startswith(message)


def test_the_page_tells_of_the_list() -> None:
    entry = next(option for option in Manual(Command("", visit, LISTED)).options if option.name == "-at")
    assert (entry.word, entry.text) == ("list", "where to go")
