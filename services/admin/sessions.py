"""Browsers that signed in on the login page, and when that ends."""

import secrets
from dataclasses import dataclass
from time import monotonic

from eartheye.database import answering
from services.admin.keys.store import key_in_force
from services.admin.keys.tables import ApiKey
from services.admin.platform import Platform

LIMIT_S = 12 * 3600
"""How long a browser stays signed in at most: a working day. Source: NIST SP 800-63B-4 allows 24 hours at its level AAL2."""
IDLE_S = 3600
"""How long it stays signed in while nobody does anything; a page that renews itself does not count. Source: the same, 1 hour."""
TICKET_S = 60
"""How long a browser may take from the login page to its session."""


@dataclass
class _Session:
    key: str
    began: float
    used: float

    @property
    def over(self) -> bool:
        return monotonic() - self.began > LIMIT_S or monotonic() - self.used > IDLE_S


@dataclass(frozen=True)
class _Ticket:
    browser: str
    key: str
    given: float

    @property
    def over(self) -> bool:
        return monotonic() - self.given > TICKET_S


class Sessions:
    """Browsers that signed in, and with which key; kept by this process alone, so that a restart ends them all.

    A session ends when its key does, when the visitor signs out, and at the limits above; whoever asks for its key learns of it.
    """

    def __init__(self) -> None:
        self._sessions = dict[str, _Session]()
        self._tickets = dict[str, _Ticket]()

    def give_ticket(self, browser: str, key: str) -> str:
        """Note that a browser has shown a key, and return what it gets its session for.

        Args:
            browser: the name that its cookie had before it signed in.
            key: visible part of the key.
        """
        ticket = secrets.token_urlsafe(32)
        for old in [name for name, each in list(self._tickets.items()) if each.over]:
            self._tickets.pop(old, None)
        self._tickets[ticket] = _Ticket(browser, key, monotonic())
        return ticket

    def begin(self, ticket: str, browser: str) -> str | None:
        """Return the name of a new session, for the cookie; None for a ticket that is spent, too old, or of another browser.

        The name that the browser had before opens nothing: somebody else may have put it there.
        """
        given = self._tickets.pop(ticket, None)
        if given is None or given.browser != browser or given.over:
            return None
        self.end(browser)
        for old in [name for name, each in list(self._sessions.items()) if each.over]:
            self.end(old)
        session = secrets.token_urlsafe(32)
        self._sessions[session] = _Session(given.key, monotonic(), monotonic())
        return session

    def end(self, session: str) -> None:
        """Forget a browser."""
        self._sessions.pop(session, None)

    def note_use(self, session: str) -> None:
        """Note that the visitor did something."""
        if found := self._sessions.get(session):
            found.used = monotonic()

    def key(self, session: str, platform: Platform) -> ApiKey | None:
        """Return the key of who signed in, None where nobody did, the session is over, or the key is no longer in force.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        found = self._sessions.get(session)
        if found is None or found.over:
            self.end(session)
            return None
        with answering(platform.engine):
            key = key_in_force(platform.engine, found.key)
        if key is None:
            self.end(session)
        return key
