"""A whole mesh, joined as the program joins it: what only shows when all parts play together."""

from adapter.domain.errors import Code
from tests.unit.instance.meshed import AMesh


async def test_what_is_registered_at_one_is_answered_by_all(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        answer = await each.infer("iris")
        assert (answer.code, answer.text) == (Code.OK, "")
    assert mesh.loads("iris") == 1
