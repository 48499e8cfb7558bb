#!/bin/sh
# each.sh WAY...: tries these ways to install, deb, wheel or bundle: the script of that name beside this. Run by `make
# test-install`, beside the CA of the tests, in a network of its own. Each says what it does, and stops at the first fault.
set -eu
for way; do
    sh "tests/install/$way.sh"
done
