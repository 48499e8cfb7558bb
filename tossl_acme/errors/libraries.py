"""The libraries that this package needs: what is said where one is missing, broken or too old."""

from __future__ import annotations

#: Where a package is not called as its module.
_PACKAGES = {"dns": "dnspython", "socks": "PySocks"}
#: Errors that led to one another, of which the first are looked at.
_MOST_CAUSES = 20


def lack_of_library(error: BaseException) -> str | None:
    """Returns what is wrong with this environment's libraries, if that may have led to a foreign error; else None."""
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if isinstance(cause, ImportError):
            module = (cause.name or "").partition(".")[0]
            if module and module != "tossl_acme":
                return _say(module, f"cannot be imported ({cause})")
        cause = cause and (cause.__cause__ or cause.__context__)
    for package, (needed, version) in _requirements().items():
        installed = _installed(package)
        if installed is not None and _numbers(installed) < _numbers(version):
            return _say(package, f"is too old: {installed}, and {needed} is needed")
    return None


def _say(module: str, fault: str) -> str:
    import sys
    from pathlib import Path

    package = _PACKAGES.get(module, module)
    needed, _ = _requirements().get(package.lower(), (package, ""))
    this = f"Python {sys.version_info[0]}.{sys.version_info[1]} of {sys.prefix}"
    if module in sys.stdlib_module_names:
        return f"{module} of the standard library {fault}: {this} is not whole; install that Python again"
    folders = ", ".join(folder for folder in sys.path if folder.endswith("-packages"))
    if not Path(sys.executable or "gone").exists():  # of an archive with a Python for tossl alone
        how = f"install tossl again, or put {needed} there"
    else:
        how = f"run {sys.executable} -m pip install '{needed}'"
    if sys.prefix == sys.base_prefix:
        how += f", or install the system's own package of it (Debian: apt-get install python3-{package.lower()})"
    return f"the Python package {package} {fault}: {this} looks in {folders or 'no folder of packages'}; {how}"


def _requirements() -> dict[str, tuple[str, str]]:
    """Returns what pyproject.toml requires in this Python, by package: the line for pip, and the lowest version."""
    import re
    import sys

    try:
        from importlib.metadata import requires

        lines = requires("tossl-acme") or []
    except Exception:  # noqa: BLE001 - where Python is not whole, nor is what reads this
        return {}
    found: dict[str, tuple[str, str]] = {}
    for line in lines:
        needed, _, marker = (part.strip() for part in line.partition(";"))
        python = re.fullmatch(r"python_version\s*>=\s*[\"'](\d+)\.(\d+)[\"']", marker)
        name, lowest = re.match(r"[\w-]+", needed), re.search(r">=\s*([\d.]+)", needed)
        counts = python is not None and sys.version_info[:2] >= (int(python[1]), int(python[2])) if marker else True
        if name and lowest and counts:
            known = found.get(name[0].lower())
            if known is None or _numbers(known[1]) < _numbers(lowest[1]):
                found[name[0].lower()] = (needed, lowest[1])
    return found


def _installed(package: str) -> str | None:
    try:
        from importlib.metadata import version

        return version(package)
    except Exception:  # noqa: BLE001 - as above
        return None


def _numbers(version: str) -> list[int]:
    import re

    return [int(number) for number in re.findall(r"\d+", version)]
