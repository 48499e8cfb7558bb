"""Adds the commands ::tossl::probe::* to those of the package; the tests' own Python environment imports this."""

import tossl_acme.commands

tossl_acme.commands.__path__.append(__file__.rpartition("/")[0])
tossl_acme.commands.PACKAGES["tossl"] += ("tossl_acme.commands.probe",)
