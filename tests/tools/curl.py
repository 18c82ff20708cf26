"""curl with HTTP/2, the client that everybody has."""

from tests.tools.debian import debian

RECIPE = debian("curl", package="curl")
