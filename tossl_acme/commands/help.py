"""::tossl::help: the commands' descriptions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..tcl.interpreter import Interpreter

#: The command is in ::tossl itself.
NAMESPACE = ""


def help(command: str = "", *, interpreter: Interpreter) -> str:
    """Describes a command, or lists the commands.

    The text has the same source as the pages and man pages; the defaults come from the code.

    command  a command's whole name (tossl::acme::create_order) or its last part (create_order); a namespace (acme)
             lists its commands; the name of a DNS provider describes that; empty lists all

    Returns plain text for people, at most 80 columns wide.

    Errors:
    TOSSL VALUE command  no such command; the message lists similar names
    """
    from ..errors import ArgumentError
    from ..tcl.helptext import help_text

    try:
        return help_text(interpreter.commands, command)
    except ArgumentError:
        text = _provider_text(command.strip().lower())
        if not text:
            raise
        return text


def _provider_text(name: str) -> str:
    """Returns the description of a DNS provider, empty if there is none of this name."""
    from ..dns.registry import describe_provider, provider_names
    from ..tcl.helptext import page_text

    known = {one.replace("-", ""): one for one in provider_names()}
    if name.replace("-", "") not in known:
        return ""
    provider = known[name.replace("-", "")]
    about = describe_provider(provider)
    fields = {}
    for one in about.credentials:
        notes = ["; required" if one.required else "", "; secret" if one.secret else ""]
        variables = f" ({' or '.join(one.environment)} of the environment)" if one.environment else ""
        fields[one.field] = f"{one.text}{''.join(notes)}{variables}"
    return page_text(f"DNS provider {provider}", (about.summary, about.text, about.page), "Credentials", fields)


COMMANDS = (help,)
