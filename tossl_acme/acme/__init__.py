"""RFC 8555 plumbing, one file per concern. Knows no Tcl, no files, no DNS provider."""
