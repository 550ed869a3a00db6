#!/bin/sh
# Write random secrets for the trial, once: what is there already stays.
set -eu
umask 077
folder=$(dirname "$0")/secrets
mkdir -p "$folder"
word() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
[ -e "$folder/postgres.env" ] || printf 'password=%s\nmlflow-password=%s\n' "$(word)" "$(word)" > "$folder/postgres.env"
[ -e "$folder/object-store.env" ] || printf 'access-key=%s\nsecret-key=%s\n' "$(word | cut -c1-16)" "$(word)" > "$folder/object-store.env"
echo "secrets in $folder"
