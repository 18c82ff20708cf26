"""nginx, beside which the relay is measured; nothing starts it but the measure."""

from tests.tools.debian import debian

RECIPE = debian("nginx", package="nginx")
