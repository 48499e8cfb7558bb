"""::tossl::support: what a bug report needs."""

from __future__ import annotations

from ..context import Context, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..files import FilePath
    from ..store.protocol import Store
    from ..tcl.interpreter import Interpreter
    from .groups import Lazy, TclFacts

#: The command is in ::tossl itself.
NAMESPACE = ""


def _archive_of_today() -> tuple[str, str]:
    from ..certificates.support import name_of_today

    return "the current folder", name_of_today()


def support(
    *,
    output: FilePath = _archive_of_today,  # type: ignore[assignment] # asked at the time of the call
    config: FilePath | None = None,
    log: FilePath | None = None,
    store: Lazy[Store],
    tcl: TclFacts,
    interpreter: Interpreter,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Packs what a bug report needs into one archive, without secrets. Sends nothing.

    In it are the versions of all parts; the environment's variables that count; the configuration file; names, sizes,
    modes and owners of the store's files, never their contents; what is known of each certificate; and the last
    megabyte of the log. No private key, account key, API key, binding or password is in it, nor the query of a URL, nor
    a deploy command. A file that cannot be read is named in its place, and is no error.

    -output path  the archive, tar.gz, which is its owner's alone; default: tossl-support-DATE-TIME.tar.gz in the
                  current folder. A file that is there is not overwritten
    -config path  the configuration file of bin/tossl
    -log path     the log; default: that of this process, if it is a file

    Returns a dict:

    file     the archive's path
    members  a list of dicts name size about: what is in it

    Errors:
    TOSSL VALUE output  the archive is there already, or cannot be written
    """
    from ..certificates.support import Asked, pack_support
    from ..certificates.versions import version_lines
    from ..log.handlers import LOG

    asked = Asked(
        [f"Tcl {tcl['patchlevel']}, {tcl['executable']}", *version_lines()],
        config or "",
        _options(interpreter),
        log or LOG.path,
        store,
    )
    return {"file": output.word, "members": pack_support(output, asked)}


def _options(interpreter: Interpreter) -> dict[str, bool]:
    """Returns the options that a configuration file may have, and whether each is secret."""
    found = dict.fromkeys(("json", "quiet", "log_file", "log_level", "csr_file", "account_key_file"), False)
    for name, command in interpreter.commands.items():
        if name.startswith("acme::"):
            options = command.parameters.all_options()
            found |= {option.lstrip("-"): each.annotation.startswith("Secret") for option, each in options.items()}
    return found


COMMANDS = (support,)
