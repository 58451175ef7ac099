#!/bin/sh
# Runs a list of commands in order. Arguments: the number of commands, then for each of them the
# number of its words and the words, exactly as the recipe has them; no word is read as shell.
set -eu
steps=$1
shift
while [ "$steps" -gt 0 ]; do
    words=$1
    shift
    # Turn the list until this command's words stand last, then run them alone in a subshell.
    turned=0
    while [ "$turned" -lt "$words" ]; do
        set -- "$@" "$1"
        shift
        turned=$((turned + 1))
    done
    (shift $(($# - words)); exec "$@")
    steps=$((steps - 1))
done
