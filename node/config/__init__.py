"""NodeConfig: the settings of one node, as opposed to those shared by its network (NetworkParams).

Four sources, the strongest first: flags, environment (STRAND_<TABLE>_<KEY>), a TOML file, the defaults below. They are
read once, into frozen objects; every value remembers its origin.
"""

from node.config.loading import CONFIG_BYTES_MAX as CONFIG_BYTES_MAX
from node.config.loading import ENVIRONMENT_PREFIX as ENVIRONMENT_PREFIX
from node.config.loading import SECRETS as SECRETS
from node.config.loading import ConfigError as ConfigError
from node.config.loading import LoadedConfig as LoadedConfig
from node.config.loading import default_file as default_file
from node.config.loading import load_config as load_config
from node.config.loading import load_params as load_params
from node.config.profiles import Profile as Profile
from node.config.profiles import ProfileError as ProfileError
from node.config.profiles import free_ports as free_ports
from node.config.tables import NAME_CHARS_MAX as NAME_CHARS_MAX
from node.config.tables import NOBODY_HELP as NOBODY_HELP
from node.config.tables import ApiKeyTable as ApiKeyTable
from node.config.tables import ApiTable as ApiTable
from node.config.tables import CapacityTable as CapacityTable
from node.config.tables import ChallengeTable as ChallengeTable
from node.config.tables import GoldTable as GoldTable
from node.config.tables import LogTable as LogTable
from node.config.tables import NodeConfig as NodeConfig
from node.config.tables import NodeTable as NodeTable
from node.config.tables import OverlayTable as OverlayTable
from node.config.tables import RoundTable as RoundTable
from node.config.tables import ServeTable as ServeTable
from node.config.tables import TracingTable as TracingTable
from node.config.tables import TrustTable as TrustTable
from node.config.tables import http_url as http_url
