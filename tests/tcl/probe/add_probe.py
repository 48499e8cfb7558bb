"""Adds the commands ::tossl::probe::* to those of the package; the tests' own Python environment imports this."""

from pathlib import Path

import tossl_acme.commands

tossl_acme.commands.__path__.append(str(Path(__file__).parent))
tossl_acme.commands.MODULES += ("probe",)
