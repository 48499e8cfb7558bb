"""A store in PostgreSQL, for many machines: sets in tables, locks as leases on the database's clock.

This folder alone uses psycopg, of the extra `postgresql`, and is loaded by registry.py for a URL of such a database.
"""
