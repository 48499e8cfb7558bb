"""The DNS providers, one file each, found by their file names. They never import each other."""
