"""What runs models: the in-house server, and the manifests of the others."""
