"""The log of the process: ::tossl::log::*."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..tcl.callbacks import Callback
    from ..tcl.interpreter import Interpreter
    from .groups import Words


def _levels() -> Sequence[str]:
    from ..log import LEVELS

    return ("off", *LEVELS)


#: The words that an option may have.
CHOICES = {"level": _levels}


def configure(
    *, level: str = "", file: str = "", prefix: Callback | None = None, words: Words, interpreter: Interpreter
) -> dict[str, object]:
    """Changes the given settings, and returns all.

    -level name     the least that is logged, in the whole process: error, warning, info, debug, or off. At first
                    nothing is; -file or -prefix without a level begins with info
    -file path      a file that gets a line for each record, in the whole process: 0600, renamed to path.1 before it has
                    more than 5 MB, with 4 of these kept. "-" and "stderr" are standard error, with systemd's priorities
                    where that is its journal; empty ends it
    -prefix prefix  a command prefix of this interpreter, called with level, message and a dict for each record of the
                    process; empty ends it

    Returns a dict:

    level   the level; empty where none was given yet
    file    the file's path, stderr, or empty
    prefix  this interpreter's prefix

    Errors:
    TOSSL VALUE level  no such level
    TOSSL VALUE file   the file cannot be opened for writing
    TOSSL VALUE prefix not a list
    TOSSL VALUE TOSSL_LOG
                       every command: the environment's TOSSL_LOG is neither a level, nor a level, a colon and a file
    """
    from ..log.handlers import LOG, NOWHERE, STDERR, STDERR_WORDS, LogPlace
    from ..tcl.values import native_path

    place = None
    if "file" in words:
        place = STDERR if file in STDERR_WORDS else NOWHERE
        if file and place is not STDERR:
            path = native_path(interpreter.host, "-file", "-file", file)
            place = LogPlace(path, path.word, path.shown)
    if "level" in words or place is not None:  # to ask for the settings changes none
        LOG.configure(words.get("level"), place)
    if "prefix" in words:
        interpreter.log_to(prefix, words["prefix"])
    return {"level": LOG.level, "file": LOG.file, "prefix": interpreter.log_prefix}


COMMANDS = (configure,)
