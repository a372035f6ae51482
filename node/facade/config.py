"""The configuration in force, without its secrets."""

from node.api import config as api
from node.config import LoadedConfig


class ConfigFacade:
    """One node's configuration."""

    def __init__(self, loaded: LoadedConfig) -> None:
        self._loaded = loaded

    def report(self) -> api.ConfigReport:
        """Report every setting with its origin; of secrets, only whether they are set."""
        return api.ConfigReport({key: api.Setting(value, origin) for key, value, origin in self._loaded.rows()})
