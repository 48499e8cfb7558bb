"""Whether the CA refuses a request because its account has ended (RFC 8555 section 7.3.6)."""

from __future__ import annotations

import re

from ..context import Context
from ..errors import AcmeError, HttpError
from ..http.urls import shown_url
from .answer import Answer
from .client import Client

#: The states of an account for which the CA does nothing any more (section 7.1.6).
ENDED = ("deactivated", "revoked")
#: CAs say it in words, beside "unauthorized", which many other refusals have as well.
_WORDS = re.compile(r"deactivat|revoked|\bnot (?:active|valid)|inactive|disabled|suspended", re.IGNORECASE)


def account_has_ended(client: Client, context: Context, error: AcmeError) -> bool:
    """Returns whether this refusal is the end of the account. Asks the CA for the account where it may be."""
    if not _seems_ended(error):
        return False
    client.forget_account()
    try:
        return Answer.of(client.find_account(context)).text("status", "valid") in ENDED
    except AcmeError as refused:
        return _seems_ended(refused)
    except HttpError:
        return False
    finally:
        client.forget_account()


def ended_account(url: str, status: str) -> AcmeError:
    """Returns the error for an account that the CA shows as ended."""
    cause = f"the account {shown_url(url)} is {status} at the CA"
    return AcmeError(f"{cause} [unauthorized]", "unauthorized", 401)


def _seems_ended(error: AcmeError) -> bool:
    return error.kind == "unauthorized" and (error.status == 401 or bool(_WORDS.search(error.message)))
