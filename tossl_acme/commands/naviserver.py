"""::tossl::naviserver::*: certificates that a NaviServer keeps. Written in Tcl, in naviserver.tcl; described here."""

from __future__ import annotations

#: What is written in Tcl.
SCRIPT = "naviserver.tcl"
#: The words of each command, where its options are another one's.
WORDS = {"init": ("certificates", "?-option value ...?")}


def init(certificates: str) -> str:
    """Gets certificates for a NaviServer and keeps them, in its configuration file: called once, at the end of it.

    Writes the -pem_file of each certificate that is missing, so that nsssl starts: the certificate that the store
    holds, else a self-signed one. When the servers start, each registers the answer page for the CA, and one scheduled
    thread of the process begins to call manage. Each new certificate is taken up by the drivers, without a restart:
    ns_certctl reload, before NaviServer 5.0 SIGHUP. Steps and failures are in NaviServer's log. Nothing is sent before
    the servers have started.

    The options are those of manage, for all certificates: -directory, -email, -store and the like. -http01_response 1
    is the default. -deploy, -on_renewed, -on_error and -progress are called in the scheduled thread.

    certificates  a dict of name to domains and options, or the name of a file that holds one, as manage takes it; each
                  certificate needs -pem_file, the file that nsssl's parameter `certificate` names

    Returns an empty string.

    Errors:
    TOSSL VALUE init          not in a configuration file, before ns/servers is there, or called twice
    TOSSL VALUE certificates  not a dict, a file that cannot be read, or a certificate without domains
    TOSSL VALUE pem_file      a certificate without -pem_file, or a file that cannot be written
    TOSSL VALUE names         a name that no certificate has
    TOSSL VALUE key_type      no such type of key
    """
    raise AssertionError(SCRIPT)


COMMANDS = (init,)
