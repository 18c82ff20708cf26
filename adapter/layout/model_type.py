"""Which type of model it is, as layouts ask (reference: runtime adapter 3.2)."""


def layout_type(key_type: object, request_type: str) -> str:
    """The name of the type: in lower case, and without what follows its first colon.

    `key_type` is the model key's `model_type`: an object with a `name`, or a string, or None. Without
    either of the first two the type of the request stands, which in ModelMesh looks like `mt:sklearn` and so
    gives a type that no layout knows.
    """
    name = key_type.get("name") if isinstance(key_type, dict) else key_type
    chosen = name if isinstance(name, str) else request_type
    return chosen.lower().partition(":")[0]
