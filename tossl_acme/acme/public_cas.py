"""The short names of public CAs. Loads little: a call connects to its CA before it loads the rest."""

from __future__ import annotations

from ..errors import ArgumentError
from ..text import quoted


class PublicCa:
    """A public CA: its directory's URL, and whether it requires an external account binding.

    binding_url: where it gives one for a mail address.
    """

    def __init__(self, name: str, url: str, needs_eab: bool = False, binding_url: str = "") -> None:
        self.name = name
        self.url = url
        self.needs_eab = needs_eab
        self.binding_url = binding_url


PUBLIC_CAS = (
    PublicCa("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
    PublicCa("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
    PublicCa("zerossl", "https://acme.zerossl.com/v2/DV90", True, "https://api.zerossl.com/acme/eab-credentials-email"),
    PublicCa("google", "https://dv.acme-v02.api.pki.goog/directory", needs_eab=True),
    PublicCa("google-staging", "https://dv.acme-v02.test-api.pki.goog/directory", needs_eab=True),
    PublicCa("sslcom", "https://acme.ssl.com/sslcom-dv-rsa", needs_eab=True),
    PublicCa("sslcom-ecc", "https://acme.ssl.com/sslcom-dv-ecc", needs_eab=True),
    PublicCa("actalis", "https://acme-api.actalis.com/acme/directory", needs_eab=True),
)
#: CAs that scripts may still name, and the reason why they no longer work.
_ENDED = dict.fromkeys(
    ("buypass", "buypass-staging"), "Buypass ended its ACME service in October 2025; choose another CA"
)


#: CAs with another end, whose certificates nobody trusts: its short name is the CA's with this behind it.
_STAGING = "-staging"
STAGED_CAS = tuple(ca.name.removesuffix(_STAGING) for ca in PUBLIC_CAS if ca.name.endswith(_STAGING))


def staging_url(url: str) -> str:
    """Returns the directory URL of the CA's staging end, which may be this one; empty where none is known."""
    for name in (ca.name for ca in PUBLIC_CAS if ca.url == url):
        staged = name if name.endswith(_STAGING) else f"{name}{_STAGING}"
        return next((ca.url for ca in PUBLIC_CAS if ca.name == staged), "")
    return ""


def directory_url(text: str) -> str:
    """Returns the URL for a directory URL or a CA's short name. Raises ArgumentError directory_url."""
    name = text.lower()
    for ca in PUBLIC_CAS:
        if name == ca.name:
            return ca.url
    if name in _ENDED:
        raise ArgumentError("directory_url", f"{name}: {_ENDED[name]}")
    if "://" not in text:
        names = ", ".join(ca.name for ca in PUBLIC_CAS)
        raise ArgumentError("directory_url", f"{quoted(text)} is neither an https URL nor a known CA ({names})")
    from .urls import https_url

    return https_url(text, "directory_url")


def likely_url(text: str) -> str:
    """Returns what directory_url() does where that raises nothing; loads less, for it checks nothing."""
    return next((ca.url for ca in PUBLIC_CAS if ca.name == text.lower()), text)


def is_staging(url: str) -> bool:
    """Returns whether this directory is known to be of a CA that issues for trying only."""
    return any(ca.url == url and ca.name.endswith("-staging") for ca in PUBLIC_CAS)


def binding_url(url: str) -> str:
    """Returns the URL where the CA of this directory gives a binding for a mail address; empty where none is known."""
    return next((ca.binding_url for ca in PUBLIC_CAS if ca.url == url), "")


def needs_binding(url: str) -> bool:
    """Returns whether this directory is known to require an external account binding for a new account."""
    return any(ca.url == url and ca.needs_eab for ca in PUBLIC_CAS)
