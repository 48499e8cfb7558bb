"""Print what the bridge's build must know of the Python that runs this, for a shell. Exit if that Python cannot serve.

With the word `check` nothing is printed, and its library need not be there yet.
"""

import os
import shlex
import sys
import sysconfig
from pathlib import Path


def find_library(variables):
    """Return the path of this Python's shared library, or None: a static Python may have one beside it."""
    version = variables.get("LDVERSION") or sysconfig.get_python_version()
    names = [variables.get("INSTSONAME"), f"libpython{version}.so.1.0", f"libpython{version}.dylib"]
    folders = [variables.get("LIBDIR"), variables.get("PYTHONFRAMEWORKPREFIX")]
    folders += [f"{sys.base_prefix}/{name}" for name in ("lib", "lib64")]
    for folder in filter(None, folders):
        for name in filter(None, names):
            path = Path(folder, name)
            if path.suffix != ".a" and path.exists():
                return path
    return None


def main():
    """Print INCLUDE, PROGRAM, VERSION and LIBRARY."""
    library = find_library(sysconfig.get_config_vars())
    this = f"tossl: {sys.executable} is Python {sys.version.split()[0]}"
    if sys.version_info < (3, 11):  # noqa: UP036 - an older one may run this
        sys.exit(f"{this}; 3.11 or later is needed, see PYTHON=")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        sys.exit(f"{this}, free-threaded; choose another with PYTHON=")
    if sys.argv[1:] == ["check"]:
        return
    if library is None:
        sys.exit(
            f"{this}, and has no shared libpython (Debian: apt-get install libpython{sysconfig.get_python_version()};"
            " else it was built without --enable-shared); choose another with PYTHON="
        )
    print(f"PYTHON_INCLUDE={shlex.quote(sysconfig.get_path('include'))}")
    # The program behind the links of an environment does not see the packages of that environment.
    program = sys.executable if sys.prefix != sys.base_prefix else os.path.realpath(sys.executable)
    print(f"PYTHON_PROGRAM={shlex.quote(program)}")
    print(f"PYTHON_VERSION={sysconfig.get_python_version()}")
    print(f"PYTHON_LIBRARY={shlex.quote(str(library))}")


main()
