"""::tossl::acme, one file for each part of the life cycle: thin adapters between Tcl and the rooms below.

Each file is loaded when one of its commands is first called. Options that many commands share are in
commands/groups.py; these arguments mean the same in all commands too:

order_url          the `url` of an order
authorization_url  the `url` of an authorization
challenge_url      the `url` of one of an authorization's challenges
token              the `token` of the challenge

Errors:
TOSSL VALUE order_url   not an https URL
TOSSL VALUE authorization_url
                        not an https URL
TOSSL VALUE challenge_url
                        not an https URL
TOSSL VALUE certificate_url
                        not an https URL
TOSSL VALUE token       not base64url
"""

from __future__ import annotations

#: The commands of all files here are in ::tossl::acme.
NAMESPACE = "acme"
