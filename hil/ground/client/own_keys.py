"""Keys and associations of the ground's end, by the telecommands that do the same on board.

CCSDS 355.1-B-1 has both ends keep in step: a rollover is commanded on board, and done here.
"""

from collections.abc import Callable

from flightsw.ccsds.security.association import AssociationState
from flightsw.errors import ConfigError
from flightsw.services import ground_operations
from flightsw.services.declarations import CommandKind
from flightsw.services.security import SecurityServices
from hil.ground.client.telecommand import Request


def carry_out(request: Request, security: SecurityServices | None) -> str:
    """Carry out here what a telecommand about keys or associations asks for; what there is to read of it.

    Raises ConfigError for another telecommand, a link in the clear, and what cannot be done.
    """
    if security is None:
        raise ConfigError(f"own {request}: expected a link with security, found one in the clear: --keys FILE")
    calls: dict[CommandKind, Callable[..., str | None]] = {
        ground_operations.KEY_ACTIVATE: security.activate_key,
        ground_operations.KEY_DEACTIVATE: security.deactivate_key,
        ground_operations.ASSOCIATION_START: security.start,
        ground_operations.ASSOCIATION_STOP: lambda spi: _stop(security, spi),
        ground_operations.ASSOCIATION_REKEY: security.rekey,
        ground_operations.KEY_VERIFY: lambda key, challenge: ground_operations.proof(security, key, challenge),
    }
    if request.kind not in calls:
        raise ConfigError(f"own: expected {', '.join(kind.name for kind in calls)}, found {request.kind.name}")
    return calls[request.kind](*request.values) or "done"


def _stop(security: SecurityServices, spi: int) -> None:
    """Stop an association. Raises ConfigError for the only one at work on its channels: nothing could be sent."""
    settings = security.associations[spi].settings
    others = [
        each
        for each in security.associations
        if each.settings.spi != spi
        and (each.settings.kind, each.settings.virtual_channels) == (settings.kind, settings.virtual_channels)
        and each.state is AssociationState.OPERATIONAL
    ]
    if not others:
        raise ConfigError(f"own ASSOCIATION_STOP {spi}: expected another one at work, found none: start one first")
    security.stop(spi)
