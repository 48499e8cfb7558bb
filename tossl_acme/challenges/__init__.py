"""The challenge types behind one protocol: present, wait, clean_up. Each is one file, named in registry.py."""
