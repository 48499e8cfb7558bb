"""Throw-away CAs for test suites.

    from tossl_acme.certificates.testing.ca import start_ca

    with start_ca(["localhost", "127.0.0.1"]) as ca:
        ca.as_dict()["server"]["files"]["fullchain"]
"""
