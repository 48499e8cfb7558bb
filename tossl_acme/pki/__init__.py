"""Keys, certificate requests and certificate chains."""

import warnings

# What `cryptography` finds odd in a structure (a serial number that is 0, a country of one letter) is no reason to
# write to the stderr of the program that this runs in.
warnings.filterwarnings("ignore", module=r"tossl_acme\.")
