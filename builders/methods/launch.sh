#!/bin/sh
# Starts every build: waits until the host has verified the limits, then hands over.
# Arguments: umask, then the command. Nothing here is taken from a recipe but those arguments.
set -eu
read -r _go < /samebits/gate
umask "$1"
shift
mkdir -p "$HOME"
# One stream, so that the log keeps the order in which things were said.
exec "$@" 2>&1
