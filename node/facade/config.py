"""The configuration in force, without its secrets."""

from node.api import config as api
from node.config import LoadedConfig


class ConfigFacade:
    """Reports one node's configuration in force."""

    def __init__(self, loaded: LoadedConfig) -> None:
        """Build a facade. `loaded`: the settings with their origins, as they were read at the start."""
        self._loaded = loaded

    def report(self) -> api.ConfigReport:
        """Report every setting with its origin, by its dotted key; of secrets, only whether they are set."""
        return api.ConfigReport({key: api.Setting(value, origin) for key, value, origin in self._loaded.rows()})
