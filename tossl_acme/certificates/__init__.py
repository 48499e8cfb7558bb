"""Porcelain over acme/ and challenges/: obtain, store, renew."""
