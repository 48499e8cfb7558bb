"""::tossl::help: what the commands do, in Tcl itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..tcl.dispatcher import Interpreter

#: Its command stands in ::tossl itself.
NAMESPACE = ""


def help(command: str = "", *, interpreter: Interpreter) -> str:
    """Tells what a command does, or lists the commands.

    The text comes from the same source as the pages and man pages, and its defaults from the code itself.

    command  a command's name, whole (tossl::acme::create_order) or its last part (create_order); a namespace (acme)
             lists that; empty lists all

    Returns plain text for people, at most 80 columns wide.

    Errors:
    TOSSL VALUE command  there is no such command; the message names those that are near
    """
    from ..tcl.helptext import help_text

    return help_text(interpreter.commands, command)


COMMANDS = (help,)
