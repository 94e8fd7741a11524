# Prints what zsh offers for the line $2 when completions lie in the folder $1.
# TAB is really pressed, on a terminal of its own; every match is printed behind "HIT:".
# The line is emptied by ^Xk: ^U would be taken by the terminal when zsh is not reading yet.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell 'compadd() {
    local -a hits suffix
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
        builtin compadd -A hits "$@"
        zparseopts -E S:=suffix
        for hit in $hits; do print -r -- "HIT:$hit$suffix[2]"; done
    fi
    builtin compadd "$@"
}'
zpty -w shell 'bindkey "^Xk" kill-whole-line; bindkey "^I" complete-word; print REA""DY'
zpty -r shell ready '*READY*'
zpty -w -n shell "$2"$'\t\x18k'
zpty -w shell 'print FINI""SHED'
zpty -r shell output '*FINISHED*'
print -r -- "$output" | tr -d '\r' | sed -n 's/^.*HIT://p'
zpty -d shell
