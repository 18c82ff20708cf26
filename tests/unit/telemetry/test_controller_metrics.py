import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.telemetry.controller_metrics import FIGURES, ControllerMetrics
from adapter.telemetry.metric_table import Kind
from tests.unit.telemetry.page import told

TITLE = "The controller"
READ = {name: float(number) for number, name in enumerate(FIGURES)}


def scraped(metrics: ControllerMetrics, *names: str) -> dict[str, float]:
    text = b"".join(metrics.render(frozenset(names))).decode()
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_every_figure_is_told_as_it_is_now() -> None:
    read = dict(READ)
    metrics = ControllerMetrics(read.__getitem__)
    assert scraped(metrics).items() >= READ.items()
    read["remesh_controller_leading"] = 1.0
    assert scraped(metrics).items() >= read.items()


def test_the_process_is_told_of_too() -> None:
    assert scraped(ControllerMetrics(READ.__getitem__))["process_resident_memory_bytes"] > 0


def test_only_what_is_asked_for_is_told_and_read() -> None:
    asked: list[str] = []

    def read(name: str) -> float:
        asked.append(name)
        return 2.0

    assert scraped(ControllerMetrics(read), "remesh_controller_models") == {"remesh_controller_models": 2.0}
    assert asked == ["remesh_controller_models"]


@pytest.mark.parametrize("name", FIGURES)
def test_a_name_says_what_it_counts(name: str) -> None:
    kind, _ = FIGURES[name]
    assert name.startswith("remesh_controller_")
    assert name.endswith("_total") == (kind is Kind.COUNTER)


def test_the_page_has_every_figure_and_no_other() -> None:
    wanted = [f"| `{name}` | {kind.value} |  | {text} |" for name, (kind, text) in FIGURES.items()]
    assert told(of_controller=True) == wanted
