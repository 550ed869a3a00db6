#!/bin/sh
# The platform and MLflow have a database each, and a user of its name that owns it and nothing else. Run once, when the server's folder is
# made; run again, it makes what is missing and sets the passwords.
set -eu
make_database() { # name, variable that holds the password
    psql -v ON_ERROR_STOP=1 -v name="$1" -v variable="$2" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password :variable
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}
make_database eartheye PLATFORM_PASSWORD
make_database mlflow MLFLOW_PASSWORD
