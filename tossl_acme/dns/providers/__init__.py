"""The DNS providers, one file each, found by their names. They never import each other."""
