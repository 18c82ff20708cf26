"""h2load of nghttp2, which loads an HTTP/2 server; a gRPC error counts as a success with it."""

from tests.tools.debian import debian

RECIPE = debian("h2load", package="nghttp2-client")
