#!/bin/sh
# Write random secrets for the trial, once: what is there already stays.
set -eu
umask 077
folder=$(dirname "$0")/secrets
mkdir -p "$folder"
word() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
user() { word | cut -c1-16; }
secret() { # file, lines
    [ -e "$folder/$1.env" ] || printf '%s\n' "$2" > "$folder/$1.env"
}
secret postgres "superuser-password=$(word)
password=$(word)
mlflow-password=$(word)"
secret minio-root "user=$(user)
password=$(word)"
secret object-store "access-key=$(user)
secret-key=$(word)"
secret kafka "password=$(word)"
secret kafka-brokers "password=$(word)"
secret triton "admin-key=$(word)"
echo "secrets in $folder"
