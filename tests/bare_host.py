"""A program for a Python process whose host does nothing but what one call needs: to see what it imports."""

from __future__ import annotations

#: To be followed by what it does with Host, and by IMPORTED. Its first argument is the folder of this package.
HOST = """
import sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import tossl_acme

class Host:
    TclError = Exception
    eval = staticmethod(lambda script: "")
    splitlist = staticmethod(str.split)

    def createcommand(self, name, function):
        self.function = function

    def call(self, *words):
        if words[0] == "::tossl::Require":
            options, _value = self.function("Require", words[1])
            assert not options, options
        if words[0] == "package":
            return ""
        return words[1].encode().hex() + " " + words[1] if words[1:] else ""

host = Host()
tossl_acme.register(host)
"""
#: Prints the modules that were imported.
IMPORTED = """
print(*(set(sys.modules) - before))
"""
