"""Keys, certificate requests and certificate chains."""

import warnings

# `cryptography` warns of odd structures (a serial number of 0, a country of one letter); these warnings must not reach
# the host program's stderr.
warnings.filterwarnings("ignore", module=r"(tossl_acme|cryptography)\b")
