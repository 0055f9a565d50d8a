"""The worker that asks services for prices and weather, as the house file names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from actors.feeds.services.types import ServiceSettings
from actors.feeds.services.worker import SECRETS
from actors.feeds.services.worker import methods as services
from config.load import load
from config.schema import HouseFile
from config.secrets import secret

FOLDER = "inputs"  # in the state folder: what services said, remembered


def methods(config: Path, state: Path) -> Mapping[str, Callable[[object], object]]:
    """What the core may ask; ConfigError if a service needs a secret that nobody set."""
    return of_house(load(config), state)


def of_house(file: HouseFile, state: Path) -> Mapping[str, Callable[[object], object]]:
    """The same for a house file that is loaded already."""
    settings = ServiceSettings(
        site=file.site, prices=file.prices, weather=file.weather, pv=file.pv_forecast, arrays=file.arrays
    )
    secrets = {name: found for name in SECRETS if (found := secret(name, file.secrets.dir)) is not None}
    return services(settings, state / FOLDER, secrets)
