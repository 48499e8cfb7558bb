"""The real servers that the tests and the demonstration talk to, all on loopback.

``python -m tests.servers --help`` runs a command beside them; tests use the classes directly.
"""
