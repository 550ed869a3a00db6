#!/bin/sh
# The platform has a database, and a user that owns it and nothing else; run once, when the server's folder is made.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password PLATFORM_PASSWORD
CREATE ROLE eartheye LOGIN PASSWORD :'password';
CREATE DATABASE eartheye OWNER eartheye;
REVOKE ALL ON DATABASE eartheye FROM PUBLIC;
SQL
