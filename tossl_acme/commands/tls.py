"""::tossl::tls::*: TLS servers that keep their own certificate. Written in Tcl, in tls.tcl; described here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .groups import Callback

#: What is written in Tcl.
SCRIPT = "tls.tcl"
#: The words of each command, where options do not come last.
WORDS = {"socket": ("-server command", "-domains names", "?-option value ...?", "port")}


def socket(
    port: int,
    *,
    server: Callback,
    domains: list[str],
    name: str = "",
    http_port: int | None = None,
    handshake_timeout: float = 10,
    deploy: Callback | None = None,
) -> str:
    """Listens as tls::socket -server of tcltls does, and gets, shows and renews its own certificate.

    The listening socket serves from the call on: with the certificate that the store holds for these names, else with a
    self-signed one until the CA has issued the first. manage keeps the certificate, in the same event loop; each new
    connection gets the one in force, with its chain, so a renewal interrupts nothing and restarts nothing.

    A command that `socket -server` of Tcl would call at once is called after the TLS handshake, with a tls channel that
    blocks, as Tcl's sockets do at first. A peer that speaks no TLS, breaks off, or is not done in -handshake_timeout
    seconds costs only its own connection: it is closed, and nothing is said of it. At 128 handshakes at a time the
    oldest makes room.

    -http_port answers the CA's challenges, with http01_response, and sends everybody else to https. Without it the
    options say how the names are proven: -provider, -webroot, -challenge, ...

    port             the port to listen on; 0: the system chooses
    -server command  a prefix, called with the tls channel, the peer's address and its port; an error in it is a
                     background error, and closes the channel
    -domains names   a list of the certificate's names, as domains of obtain_certificate
    -name name       the certificate's name in the store; default: the first of the names
    -http_port port  a port for plain http beside it; port 80 of every name must reach it
    -handshake_timeout seconds
                     limit of a handshake
    -deploy prefix   called with the certificate's dict, as in obtain_certificate, once new connections get it

    Any other option is one of manage, as -directory, -email, -store, -provider, -on_error and -on_renewed; one of
    tls::socket and socket, as -myaddr, -tls1.2, -cipher, -request, -require and -command; or one of fconfigure, as
    -blocking and -translation, for the channels that command gets. -request and -require are 0 unless given. The CAs of
    clients' certificates are in -cadir: -cafile, -certfile and -keyfile are what the command itself gives tcltls.

    Returns a channel. Closing it closes both ports and ends the renewals; connections stay. fconfigure -sockname tells
    the port.

    Errors: those of manage and tls::socket, and
    TOSSL PACKAGE tls                the package tls (tcltls) is not installed
    TOSSL VALUE server               missing, or no list
    TOSSL VALUE deploy               no list
    TOSSL VALUE domains              missing, or a name that no certificate has
    TOSSL VALUE port                 it cannot be listened on
    TOSSL VALUE http_port            likewise
    TOSSL VALUE handshake_timeout    not a positive number of seconds
    TOSSL VALUE option               no such option, or a value that it cannot have; or it names a certificate, which
                                     the command keeps by itself
    """
    raise AssertionError(SCRIPT)


COMMANDS = (socket,)
