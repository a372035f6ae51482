"""Commands run within the test's process."""

from tests.support.home import home as home
