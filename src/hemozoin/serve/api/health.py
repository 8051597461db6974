"""Whether the server answers, for whoever watches it."""

from __future__ import annotations

from fastapi import APIRouter

from hemozoin.about import VERSION
from hemozoin.serve.api.dependencies import StoreHere
from hemozoin.serve.api.models import Health

health_routes = APIRouter(tags=["health"])


@health_routes.get("/health")
def get_health() -> Health:
    """Say that the server answers."""
    return Health(status="ok", version=VERSION)


@health_routes.get("/ready")
def get_ready(store: StoreHere) -> Health:
    """Say that the database answers too."""
    store.slide("")
    return Health(status="ready", version=VERSION)
