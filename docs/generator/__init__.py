"""Makes the pages of docs/ and the man pages: docs/source/*.md, filled in from the commands and their docstrings.

    python -m docs.generator                writes docs/commands/<namespace>.md
    python -m docs.generator --man FOLDER   writes FOLDER/tossl_<namespace>.n
"""
