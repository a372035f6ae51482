"""Links and sessions of browsers: how long they are valid, and how many there are."""

from __future__ import annotations

from http.cookies import SimpleCookie

from starlette.responses import Response

from node.http.keys import ApiKey
from node.http.sessions import COOKIES_MAX, LINK_S, LINKS_MAX, SESSION_S, SESSIONS_MAX, Sessions, cookie_name

KEY = ApiKey("laptop", None)
PORT = 4210


class Clock:
    """Seconds that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def cookie_of(response: Response | None) -> str:
    assert response is not None
    return SimpleCookie(response.headers["set-cookie"])[cookie_name(PORT)].value


def let_in(sessions: Sessions, key: ApiKey = KEY) -> str:
    return cookie_of(sessions.let_in(sessions.links.issue(key), PORT, over_tls=False))


def test_a_link_is_valid_once_and_for_a_minute() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    code, late = sessions.links.issue(KEY), sessions.links.issue(KEY)
    assert sessions.let_in("another", PORT, over_tls=False) is None
    clock.now_s += LINK_S - 1
    assert sessions.let_in(code, PORT, over_tls=False) is not None
    assert sessions.let_in(code, PORT, over_tls=False) is None
    clock.now_s += 1
    assert sessions.let_in(late, PORT, over_tls=False) is None
    assert len(sessions.links) == 0


def test_a_session_has_the_links_key_until_it_ends() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    cookie = f"a=b; {cookie_name(PORT)}={let_in(sessions)}"
    clock.now_s += SESSION_S - 1
    assert sessions.key_of([cookie], PORT) == KEY
    assert sessions.key_of(["x", cookie], PORT) == KEY
    assert sessions.key_of([cookie], PORT + 1) is None
    clock.now_s += 1
    assert sessions.key_of([cookie], PORT) is None
    assert len(sessions.sessions) == 0


def test_links_and_sessions_are_bounded_and_the_newest_stay() -> None:
    sessions = Sessions(Clock())
    codes = [sessions.links.issue(KEY) for _ in range(LINKS_MAX + 1)]
    assert len(sessions.links) == LINKS_MAX
    assert sessions.let_in(codes[0], PORT, over_tls=False) is None
    assert sessions.let_in(codes[-1], PORT, over_tls=False) is not None
    cookies = [f"{cookie_name(PORT)}={let_in(sessions)}" for _ in range(SESSIONS_MAX + 1)]
    assert len(sessions.sessions) == SESSIONS_MAX
    assert sessions.key_of([cookies[0]], PORT) is None
    assert sessions.key_of([cookies[-1]], PORT) == KEY


def test_whoever_makes_many_links_and_sessions_ends_their_own() -> None:
    sessions, greedy = Sessions(Clock()), ApiKey("greedy", None)
    code, cookie = sessions.links.issue(KEY), f"{cookie_name(PORT)}={let_in(sessions)}"
    first = f"{cookie_name(PORT)}={let_in(sessions, greedy)}"
    for _ in range(SESSIONS_MAX):
        let_in(sessions, greedy)
    for _ in range(LINKS_MAX):
        sessions.links.issue(greedy)
    assert len(sessions.sessions) == SESSIONS_MAX and len(sessions.links) == LINKS_MAX
    assert sessions.key_of([first], PORT) is None
    assert sessions.key_of([cookie], PORT) == KEY
    assert sessions.let_in(code, PORT, over_tls=False) is not None


def test_only_some_cookies_of_our_name_are_looked_at() -> None:
    sessions = Sessions(Clock())
    name, right = cookie_name(PORT), let_in(sessions)
    planted = "; ".join(f"{name}={number:043}" for number in range(COOKIES_MAX - 1))
    assert sessions.key_of([f"{planted}; {name}={right}"], PORT) == KEY
    assert sessions.key_of([f"{name}=of another form; {planted}; {name}={right}"], PORT) == KEY
    assert sessions.key_of([f"{name}={'m' * 43}; {planted}; {name}={right}"], PORT) is None
    assert sessions.key_of([f"{name}=\udcff", f"{name}=é", f"{name}", ""], PORT) is None


def test_secrets_are_long_and_differ() -> None:
    sessions = Sessions(Clock())
    given = {*(sessions.links.issue(KEY) for _ in range(8)), *(let_in(sessions) for _ in range(8))}
    assert len(given) == 16
    assert min(map(len, given)) >= 43
