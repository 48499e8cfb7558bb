"""Have tossl 0.1.0 get a certificate and keep it: python old.py TREE, with that version in the folder TREE.

The store is the one that 0.1.0 chooses, by TOSSL_HOME.
"""

import os
import sys
import tkinter

sys.path.insert(0, sys.argv[1])
import tossl_acme

if tossl_acme.__version__ != "0.1.0":
    sys.exit(f"this is {tossl_acme.__version__}")
tcl = tkinter.Tcl()
tossl_acme.register(tcl)
options = ("-directory", os.environ["TOSSL_TEST_DIRECTORY"], "-ca_bundle", os.environ["TOSSL_TEST_CA_BUNDLE"])
tcl.call(
    "tossl::acme::obtain_certificate", ("old.example.com", "www.old.example.com"), *options,
    "-port", os.environ["TOSSL_TEST_HTTP_PORT"], "-email", "admin@example.com",
)  # fmt: skip
