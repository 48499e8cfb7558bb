"""The trees of other ACME programs, read only: one file for each program."""
