"""The Tcl side: knows Tcl, knows nothing of certificates."""
