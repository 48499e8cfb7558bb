"""::tossl::testing::*: certificates and CAs for test suites.

-names names     a list of DNS names and IP addresses, as in tossl::acme::obtain_certificate; default: localhost
                 127.0.0.1 ::1
-key_type name   type of each key: ec (P-256), ec384, ec521, rsa (2048 bits), rsa3072, rsa4096, rsa8192, ed25519
-folder path     the folder in which the temporary folder is made; default: that for temporary files (TMPDIR)

Errors:
TOSSL VALUE names      "Failed to parse names: " with the name and its fault
TOSSL VALUE key_type   no such type of key
TOSSL VALUE folder     no path
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...files import FilePath
    from ...tcl.interpreter import Interpreter


def _place() -> tuple[str, str]:
    from ...certificates.testing.workspace import temporary_folder

    return temporary_folder()


def certificate(
    *, names: list[str] | None = None, issuer: dict[str, str] | None = None, not_before: int | None = None,
    not_after: int | None = None, client: bool = False, ca: bool = False, key_type: str = "ec",
    folder: FilePath = _place, interpreter: Interpreter,  # type: ignore[assignment] # asked at the time of the call
) -> dict[str, object]:  # fmt: skip
    """Makes a certificate with a new key, at once and without any server.

    Its files are removed when the interpreter ends, or the process, in whatever way.

    -names names     a list of DNS names and IP addresses; default: localhost 127.0.0.1 ::1, with -client 1: client
    -issuer dict     who issues it: what this command returned with -ca 1; root or intermediate of the dict that ca
                     start returned, or that whole dict, for its root; another dict with certificate and private_key
                     of a CA. Default: a root made for this certificate alone
    -not_before seconds
                     its begin, epoch seconds; default: a day ago, or 30 days before -not_after if that is earlier
    -not_after seconds
                     its end, epoch seconds; may be in the past; default: in 30 days, or 30 days after -not_before if
                     that is later
    -client 1        it is for a TLS client, not for a server
    -ca 1            it is a CA, fit for -issuer: an intermediate of -issuer, without that a root. The ends of a root
                     that are not given are 400 days further away

    Returns a dict, with keys that tossl::acme::obtain_certificate has, too:

    domains      a list of its names
    certificate  PEM text
    chain        the CAs' certificates above it in order, without the root, PEM text
    fullchain    both, as servers need them
    private_key  PKCS#8 PEM text, not encrypted
    root         the root's certificate, PEM text: what its peers must trust
    not_before   its begin, epoch seconds
    not_after    its end, epoch seconds
    issuer       its issuer's name
    serial       its serial number, hexadecimal
    files        a dict of paths: certificate, chain, fullchain and private_key, each in a file that only this user can
                 read

    Errors:
    TOSSL VALUE issuer      not such a dict, no CA's, or a private key that is not the certificate's; or its key usage
                            or path length forbids to issue this
    TOSSL VALUE client      beside -ca 1
    TOSSL VALUE not_before  not in the years from 1950 to 9999
    TOSSL VALUE not_after   likewise, or not later than the begin
    TOSSL RESOURCE files    the temporary folder cannot be made or written to
    TOSSL RESOURCE processes
                            the shell that removes it cannot be started
    """
    from ...certificates.testing.bench import Bench
    from ...certificates.testing.ca import issue_throwaway
    from ...pki.throwaway import Life

    bench = interpreter.belonging(Bench)
    made = issue_throwaway(
        names, None if issuer is None else bench.issuer_in(issuer),
        life=Life.of(not_before, not_after, is_root=ca and issuer is None),
        key_type=key_type, is_client=client, is_authority=ca,
    )  # fmt: skip
    return bench.keep(folder, made.as_dict())


def constraints(*, interpreter: Interpreter) -> dict[str, object]:
    """Sets the constraints of this package's features in tcltest, if that is loaded.

    Returns a dict of them, for other ways to test:

    tossl_pebble  1 if Pebble is installed, which tossl::testing::ca start -acme 1 needs, else 0
    """
    from ...certificates.testing.pebble import find_pebble

    found = {"tossl_pebble": bool(find_pebble())}
    if interpreter.host.eval("info commands ::tcltest::testConstraint"):
        for name, value in found.items():
            interpreter.host.call("::tcltest::testConstraint", name, str(int(value)))
    return dict(found)


COMMANDS = (certificate, constraints)
