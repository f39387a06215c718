"""Says who can reach a model."""

from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings
from model_dockerize.settings.access import ANYWHERE

_INTERNET = "anyone on the internet"


def who_can_reach(service: ServiceSettings) -> str:
    """Return e.g. "10.0.0.0/8, with an API key"."""
    return f"{_place(service)}, with an API key" if service.api_key else _place(service)


def how_long(service: ServiceSettings) -> str:
    """Say how long an address lasts; empty: for good."""
    if service.balanced:
        return ""
    return "changes with the next deployment; load-balancer: true keeps one (about 24 US dollars a month)"


def warn_of_the_internet(service: ServiceSettings, progress: Progress) -> None:
    """Warn if the whole internet can use it."""
    if who_can_reach(service) == _INTERNET:
        progress.warning(
            "Anyone on the internet can use the model, see and delete its jobs. Set allow-from (who may connect), "
            "api-key (who may ask), or both."
        )


def _place(service: ServiceSettings) -> str:
    if service.load_balancer not in ("true", "false"):
        return f"whoever load balancer {service.load_balancer} admits"
    if not service.balanced and service.security_groups:
        return f"whoever {', '.join(service.security_groups)} admits"
    if not service.balanced and not service.assign_public_ip:
        return "its own network" if _is_open(service) else f"{', '.join(service.allow_from)}, by its network"
    return _INTERNET if _is_open(service) else ", ".join(service.allow_from)


def _is_open(service: ServiceSettings) -> bool:
    # Without the input, a new model is open.
    return not service.allow_from or ANYWHERE in service.allow_from
