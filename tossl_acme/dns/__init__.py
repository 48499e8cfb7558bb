"""DNS providers with one skeleton, and the check that a published record is seen."""
