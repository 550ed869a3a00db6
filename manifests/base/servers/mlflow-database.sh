#!/bin/sh
# MLflow has a database and a user of its own; run once, when the server's folder is made.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$MLFLOW_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE mlflow LOGIN PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow;
SQL
