"""A database server that accepts connections and never answers."""

import socket

import pytest

from eartheye import database
from eartheye.database import answering, connect
from eartheye.errors import DatabaseUnavailable
from eartheye.settings import Settings


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(database, "CONNECT_TIMEOUT_S", 2)  # less is taken for 2
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        engine = connect(Settings(database_url=f"postgresql+psycopg://eartheye:secret@127.0.0.1:{port}/eartheye"))
        told = rf"127\.0\.0\.1:{port}/eartheye \(EARTHEYE_DATABASE_URL\): connection timeout"
        with pytest.raises(DatabaseUnavailable, match=told), answering(engine), engine.connect():
            pass
