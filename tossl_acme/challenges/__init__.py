"""http-01, dns-01 and tls-alpn-01 behind one protocol: present, wait, clean_up."""
