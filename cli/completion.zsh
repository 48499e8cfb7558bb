#compdef tossl
# zsh completion for tossl: made by `tossl completion zsh` of what its commands declare.

@kept@

_tossl_certificates() {
    local -a names
    names=("${(@f)$(_tossl_kept tossl "${words[@]}")}")
    names=(${names:#})
    _wanted certificates expl certificate compadd -a names
}

_tossl_commands() {
    local -a names=(
@names@
    )
    _describe -t commands 'tossl command' names
}

_tossl() {
    local curcontext=$curcontext state state_descr line expl
    typeset -A opt_args
    _arguments -C \
        '(- *)--help[shows the usage]' '(- *)--version[shows the version]' \
        '1: :_tossl_commands' '*:: :->words' && return 0
    [[ $state == words ]] || return 1
    case $words[1] in
@commands@
    esac
}

if [[ ${funcstack[1]} == _tossl ]]; then
    _tossl "$@"
else
    compdef _tossl tossl
fi
