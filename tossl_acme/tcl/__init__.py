"""The Tcl side. It knows Tcl and nothing of certificates."""
