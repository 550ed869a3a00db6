"""The roles, and which of them each route needs."""

from enum import StrEnum


class Role(StrEnum):
    """What the holder of a key may do; each role may do all that those before it may."""

    VIEWER = "viewer"
    """Look at everything but keys."""
    OPERATOR = "operator"
    """Submit and cancel jobs."""
    PROMOTER = "promoter"
    """Decide which version of a model serves."""
    ADMIN = "admin"
    """Give and revoke keys."""

    def may(self, needed: "Role") -> bool:
        """Say whether this role suffices where `needed` is asked."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


EVERYONE = None
"""No key is asked: what answers holds no names, addresses or reasons."""

ACCESS: dict[str, Role | None] = {
    "GET /v1/health/live": EVERYONE,
    "GET /v1/health/ready": EVERYONE,
    "GET /v1/health/servers": Role.VIEWER,
    "GET /v1/metrics": EVERYONE,
    "GET /v1/keys": Role.ADMIN,
    "GET /v1/keys/mine": Role.VIEWER,
    "POST /v1/keys": Role.ADMIN,
    "DELETE /v1/keys/{key}": Role.ADMIN,
    "GET /v1/models": Role.VIEWER,
    "GET /v1/models/{model}/versions": Role.VIEWER,
    "GET /v1/models/{model}/versions/{version}/gate": Role.VIEWER,
    "GET /v1/models/{model}/decisions": Role.VIEWER,
    "POST /v1/models/{model}/promote": Role.PROMOTER,
    "POST /v1/models/{model}/rollback": Role.PROMOTER,
    "GET /v1/jobs": Role.VIEWER,
    "POST /v1/jobs": Role.OPERATOR,
    "GET /v1/jobs/{job}": Role.VIEWER,
    "GET /v1/jobs/{job}/events": Role.VIEWER,
    "GET /v1/jobs/{job}/failures": Role.VIEWER,
    "GET /v1/jobs/{job}/result": Role.VIEWER,
    "GET /v1/jobs/{job}/files/{name}": Role.VIEWER,
    "HEAD /v1/jobs/{job}/files/{name}": Role.VIEWER,
    "GET /v1/jobs/{job}/tiles/{z}/{x}/{y}": Role.VIEWER,
    "POST /v1/jobs/{job}/cancel": Role.OPERATOR,
    "POST /v1/jobs/{job}/redrive": Role.OPERATOR,
    "GET /v1/datasets": Role.VIEWER,
    "GET /v1/datasets/geojson": Role.VIEWER,
    "GET /v1/datasets/tiles": Role.VIEWER,
    "GET /v1/datasets/tiles/{tile}/picture": Role.VIEWER,
}
"""The least role that each route asks for. A route that is not here answers nobody."""
