# Prints the names of the certificates in the store, for the words of the command line; by the folder's names alone.
_tossl_kept() {
    [ -z "${ZSH_VERSION:-}" ] || emulate -L sh
    local program=$1 store= typed= conf=- folder name data
    while [ $# -gt 0 ]; do
        case $1 in
            --store) store=${2:-} ;;
            --store=*) store=${1#*=} ;;
            --config) conf=${2:-} ;;
            --config=*) conf=${1#*=} ;;
        esac
        shift
    done
    typed=$store
    if [ -z "$store" ] && [ "$conf" = - ]; then
        conf=${TOSSL_CONF:-}
        for folder in "${XDG_CONFIG_HOME:-${HOME:-}/.config}" /etc; do
            [ -z "${TOSSL_CONF+set}" ] && [ -z "$conf" ] && [ -f "$folder/tossl.conf" ] && conf=$folder/tossl.conf
        done
    fi
    if [ -z "$store" ] && [ -f "$conf" ] && [ -r "$conf" ]; then
        store=$(sed -n 's/^[[:space:]]*store[[:space:]]*=[[:space:]]*//p' "$conf" | sed -n 's/[[:space:]]*$//; 1p')
    fi
    store=${store:-${TOSSL_STORE:-${TOSSL_HOME:-}}}
    if [ -z "$store" ]; then
        data=${XDG_DATA_HOME:-${HOME:-}/.local/share}/tossl
        store=$data
        if [ "$(id -u)" = 0 ] && [ ! -d "$data/accounts" ] && [ ! -d "$data/certificates" ]; then
            store=/var/lib/tossl
        fi
    fi
    case $store in
        # It has no folder to look into.
        *://*)
            set -- list --json --quiet ${typed:+--store "$typed"}
            timeout 3 "$program" "$@" 2>/dev/null </dev/null | grep -o '"name": "[^"]*"' | cut -d '"' -f 4
            return
            ;;
        "~/"*) store=$HOME/${store#"~/"} ;;
    esac
    for folder in "$store"/certificates/*/cert.pem; do
        [ -e "$folder" ] || continue
        name=${folder%/cert.pem}
        name=${name##*/}
        case $name in
            _.*) name="*.${name#_.}" ;;
            0::*) name=${name#0} ;;
        esac
        printf '%s\n' "$name"
    done
}
