"""The flow of a certificate, over acme/, challenges/ and store/: obtain, store, renew."""
