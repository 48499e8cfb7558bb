# bash completion for tossl: made by `tossl completion bash` of what its commands declare.

# Sets for a sub-command: flags, options that take no value; options, those that take one; places, the words that stand
# behind it, the last of them for all that follow.
_tossl_declared() {
    flags= options= places=()
    case $1 in
@commands@
    esac
}

# Sets kinds: the words that an option may have; @file, @folder, @variable and the like are looked up.
_tossl_values_of() {
    kinds=
    case $1 in
@values@
    esac
}

@kept@

# Adds what begins with the current word, behind $front.
_tossl_add() {
    local word
    while IFS= read -r word; do
        [[ $front$word == "$cur"* || $front$(printf %q "$word") == "$cur"* ]] && COMPREPLY+=("$front$(printf %q "$word")")
    done
}

_tossl_add_kinds() {
    local kind
    for kind in $1; do
        case $kind in
            @file) compopt -o default ;;
            @folder) compopt -o dirnames ;;
            @variable) _tossl_add < <(compgen -A export) ;;
            @certificate) _tossl_add < <(_tossl_kept "${words[@]}") ;;
            @command) _tossl_add < <(printf '%s\n' $commands) ;;
            *) _tossl_add <<<"$kind" ;;
        esac
    done
}

_tossl() {
    local commands='@names@'
    local cur= front= pending= ended= word lead kinds= flags= options=
    local -a words=() places
    local -i at place=0
    COMPREPLY=()
    # bash takes words apart at "=" and ":".
    local rest=$COMP_LINE
    for ((at = 0; at <= COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        lead=${rest%%[![:space:]]*}
        rest=${rest#"$lead"}
        rest=${rest#"$word"}
        if [[ $lead || $at -eq 0 ]]; then
            words+=("$word")
        else
            words[-1]+=$word
        fi
    done
    cur=${words[-1]}
    # What stands in the line before the part that bash replaces.
    word=${COMP_WORDS[COMP_CWORD]}
    lead=$cur
    [[ $word && -z ${word//[=:]/} ]] || lead=${cur%"$word"}

    if ((${#words[@]} <= 2)); then
        _tossl_add_kinds "@command --help --version"
    else
        _tossl_declared "${words[1]}"
        for word in "${words[@]:2:${#words[@]}-3}"; do
            if [[ $pending ]]; then
                pending=
            elif [[ $ended || $word != --* ]]; then
                place+=1
            elif [[ $word == -- ]]; then
                ended=1
            elif [[ $word != *=* && " $flags " != *" $word "* ]]; then
                pending=$word
            fi
        done
        if [[ $pending ]]; then
            _tossl_values_of "$pending"
        elif [[ ! $ended && $cur == --*=* ]]; then
            front=${cur%%=*}=
            _tossl_values_of "${cur%%=*}"
        elif [[ ! $ended && $cur == -* ]]; then
            kinds="$flags $options"
        elif ((${#places[@]})); then
            kinds=${places[place < ${#places[@]} ? place : ${#places[@]} - 1]}
        fi
        _tossl_add_kinds "$kinds"
    fi
    COMPREPLY=("${COMPREPLY[@]#"$lead"}")
    # A provider's own name is to follow.
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
    return 0
}
complete -F _tossl tossl
