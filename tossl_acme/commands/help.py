"""::tossl::help: the commands' descriptions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..tcl.dispatcher import Interpreter

#: The command is in ::tossl itself.
NAMESPACE = ""


def help(command: str = "", *, interpreter: Interpreter) -> str:
    """Describes a command, or lists the commands.

    The text has the same source as the pages and man pages; the defaults come from the code.

    command  a command's whole name (tossl::acme::create_order) or its last part (create_order); a namespace (acme)
             lists its commands; empty lists all

    Returns plain text for people, at most 80 columns wide.

    Errors:
    TOSSL VALUE command  no such command; the message lists similar names
    """
    from ..tcl.helptext import help_text

    return help_text(interpreter.commands, command)


COMMANDS = (help,)
