#!/bin/sh
# Stands where k6 is expected: notes that it was started and with what, does what a test wants to be done then,
# and becomes the program that it stands for.
echo "$*" >>"$WRAPPED_STARTS"
eval "$WRAPPED_BEFORE"
exec "$WRAPPED_PROGRAM" "$@"
