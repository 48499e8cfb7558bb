"""DNS providers behind one protocol, each one file in providers/, and the wait for published records."""
