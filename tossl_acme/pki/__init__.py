"""Keys, certificate requests and certificate chains."""
