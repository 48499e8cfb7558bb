#!/bin/sh
# build.sh LIBRARY: compiles the bridge for $TCLSH and $PYTHON, with $CC, $CFLAGS and $LDFLAGS.
set -eu
here=$(dirname "$0")

config=$(sh "$here/tclconfig.sh")
# shellcheck source=/dev/null
. "$config"

# PYTHON_INCLUDE, PYTHON_LIBRARY and PYTHON_FOLDER, as python3-config --embed knows them
eval "$("$PYTHON" - <<'END'
import shlex, sys, sysconfig
v = sysconfig.get_config_vars()
for name, value in (("INCLUDE", sysconfig.get_path("include")), ("FOLDER", v["LIBDIR"]), ("LIBRARY", v["LDVERSION"])):
    print(f"PYTHON_{name}={shlex.quote(value)}")
END
)" || exit 1
[ -n "${PYTHON_LIBRARY:-}" ] || exit 1
case $PYTHON_FOLDER in /usr/lib | /usr/lib/*) rpath= ;; *) rpath=-Wl,-rpath,$PYTHON_FOLDER ;; esac

# shellcheck disable=SC2086 # flags are several words
${CC:-cc} -std=c11 -O2 -Wall -Wextra ${CFLAGS:-} -fPIC -fvisibility=hidden -shared \
    -DUSE_TCL_STUBS -isystem "$PYTHON_INCLUDE" ${TCL_INCLUDE_SPEC:-} \
    -DTOSSL_PYTHON_VERSION="\"$PYTHON_LIBRARY\"" "$here"/../bridge/*.c \
    ${TCL_STUB_LIB_SPEC} -L"$PYTHON_FOLDER" -lpython"$PYTHON_LIBRARY" -ldl $rpath ${LDFLAGS:-} -o "$1"
