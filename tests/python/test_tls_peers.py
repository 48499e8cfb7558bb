"""Peers of tossl::tls::socket that end TLS before all is written, and are gone."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from pathlib import Path
from threading import Timer

import pytest

TCLSH = os.environ.get("TCLSH", "tclsh")
TCLTLS = subprocess.run([TCLSH], input="exit [catch {package require tls}]", text=True).returncode == 0
TREE = Path(__file__).parents[2]

#: A server that says much to whoever comes. With `closes` it closes a channel that is at its end, as programs do; else
#: it writes to it once more.
SCRIPT = """
    lassign $argv tree store closes
    set auto_path [linsert $auto_path 0 $tree]
    set env(SSL_CERT_FILE) /dev/null
    package require tossl
    proc serve {channel address port} {
        chan configure $channel -blocking 0 -translation binary
        chan event $channel readable [list ended $channel]
        puts -nonewline $channel [string repeat x [expr {$::closes ? 5000000 : 5}]]
        flush $channel
    }
    proc ended {channel} {
        if {[read $channel] eq "" && [eof $channel]} {
            chan event $channel readable {}
            if {$::closes} {
                close $channel
            }
            say ended
            chan event stdin readable [list gone $channel]
        }
    }
    proc gone {channel} {
        chan event stdin readable {}
        if {!$::closes} {
            catch {
                foreach word {one two three} {
                    puts $channel $word
                    flush $channel
                }
            }
            close $channel
        }
        set ::alive 1
    }
    proc say {text} {
        puts $text
        flush stdout
    }
    set listener [tossl::tls::socket -server serve -domains a.example.com -directory https://127.0.0.1:1/dir \\
        -store $store -http01_response 1 0]
    say [lindex [chan configure $listener -sockname] 2]
    vwait ::alive
    say alive
    exit
"""


@pytest.mark.skipif(not TCLTLS, reason="needs tcltls")
@pytest.mark.parametrize(
    ("version", "closes"),
    [(ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, False)],
    ids=["closed while much waits", "written to again"],
)
def test_a_peer_that_ends_tls_and_is_gone_stops_nothing(version: ssl.TLSVersion, closes: bool, tmp_path: Path) -> None:
    script = tmp_path / "server.tcl"
    script.write_text(SCRIPT)
    words = [TCLSH, str(script), str(TREE), str(tmp_path / "store"), str(int(closes))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        peer = ended(int(server.stdout.readline()), version)
        assert server.stdout.readline() == "ended\n"
        peer.close()  # unread data: the system resets the connection
        server.stdin.write("gone\n")
        server.stdin.flush()
        limit = Timer(15, server.kill)
        limit.start()
        said = server.stdout.read()
        limit.cancel()
    assert said == "alive\n"
    assert server.returncode == 0


def ended(port: int, version: ssl.TLSVersion) -> socket.socket:
    """Returns a connection over which TLS was begun and ended, with something unread."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    peer = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
    peer.settimeout(0.05)
    with pytest.raises((TimeoutError, ssl.SSLError)):
        peer.unwrap()
    return peer
