"""The table of DNS providers in docs/dns.md: a row for each, from its declarations."""

from __future__ import annotations

import re

from tossl_acme.dns.provider import Credential
from tossl_acme.dns.registry import describe_provider, provider_names, shown_names

from .page import DOCS

PAGE = DOCS / "dns.md"
_TABLE = re.compile(r"(<!-- PROVIDERS: made by `make docs` -->\n\n).*?(\n<!-- END -->)", re.DOTALL)
_URL = re.compile(r"https://\S+")


def with_table(text: str) -> str:
    """Returns the page with the table of today."""
    head = "| provider | fields; with ? it may be left out | page |\n|---|---|---|\n"
    table = head + "".join(map(_row, provider_names()))
    return _TABLE.sub(lambda found: f"{found[1]}{table}{found[2]}", text)


def _row(name: str) -> str:
    about = describe_provider(name)
    shown = dict(zip(provider_names(), shown_names(), strict=True))[name]
    fields = "<br>".join(map(_field, about.credentials))
    link = _URL.search(about.page)
    return f"| `{shown}` | {fields or ' '.join(about.text.split())} | {f'[vendor]({link[0]})' if link else ''} |\n"


def _field(credential: Credential) -> str:
    mark = "" if credential.required else "?"
    variables = " or ".join(f"`{variable}`" for variable in credential.environment)
    return f"`{credential.field}`{mark}: {credential.text}{f' ({variables})' if variables else ''}".replace("|", "\\|")
