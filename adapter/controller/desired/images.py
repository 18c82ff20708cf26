"""What an image's reference says of its version."""


def version_of(image: str) -> str | None:
    """Its tag; without one, the start of its digest; None: neither.

    The colon of a registry's port is no tag's.
    """
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if colon and tag:
        return tag
    return digest or None
