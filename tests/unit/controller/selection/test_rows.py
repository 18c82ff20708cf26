import re
from pathlib import Path

ROWS = range(1, 74)


def test_each_row_of_the_reference_is_a_test() -> None:
    told = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    numbers = {
        int(number)
        for match in re.findall(r'(?:id="|test_|case\("?)(?:row[ _])?((?:\d+(?:, | and |_)?)+)', told)
        for number in re.findall(r"\d+", match)
    }
    assert sorted(set(ROWS) - numbers) == []
