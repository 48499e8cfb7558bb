"""::tossl::acme, one file for each part of the life cycle: thin adapters between Tcl words and the rooms below.

Imports of those rooms stand inside the functions, so that `package require` loads none of them.
"""

from __future__ import annotations

from .account import create_account
from .certificate import download_certificate, finalize_order
from .challenge import (
    answer_challenge,
    cleanup_challenge,
    cleanup_dns,
    dns01_challenge,
    get_authorization,
    http01_challenge,
    wait_authorization,
)
from .directory import directory
from .obtain import obtain_certificate
from .order import create_order, get_order, wait_order

COMMANDS = (
    directory,
    create_account,
    create_order,
    get_order,
    wait_order,
    get_authorization,
    wait_authorization,
    http01_challenge,
    dns01_challenge,
    answer_challenge,
    cleanup_challenge,
    cleanup_dns,
    finalize_order,
    download_certificate,
    obtain_certificate,
)
