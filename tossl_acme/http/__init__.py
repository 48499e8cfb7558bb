"""HTTP, bounded in time, size and redirects. The only user of requests."""
