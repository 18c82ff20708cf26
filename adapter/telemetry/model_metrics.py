"""What is measured of loads, unloads and sizes (reference: ModelMesh core 6.2). Times are in milliseconds."""

from adapter.telemetry.histograms import Histogram, LabelledHistogram


class ModelMetrics:
    """The instruments of what the cache and its loader do. `model` only counts with `per_model`."""

    def __init__(self, *, per_model: bool = False) -> None:
        self._per_model = per_model
        self._loads = LabelledHistogram("modelmesh_loadmodel_milliseconds", per_model=per_model)
        self._unloads = LabelledHistogram("modelmesh_unloadmodel_milliseconds", per_model=per_model)
        self._turns = LabelledHistogram("modelmesh_loading_queue_delay_milliseconds", per_model=per_model)
        self._sizings = LabelledHistogram("modelmesh_model_sizing_milliseconds", per_model=per_model)
        self._ages = LabelledHistogram("modelmesh_age_at_eviction_milliseconds", per_model=per_model)
        self._sizes = LabelledHistogram("modelmesh_loaded_model_size_bytes", per_model=per_model)
        self.failures = {
            "modelmesh_loadmodel_failure": 0,
            "modelmesh_unloadmodel_failure": 0,
            "modelmesh_unloadmodel_attempt_failure": 0,
        }
        """Each counter of failures by its metric's name."""

    @property
    def histograms(self) -> tuple[LabelledHistogram, ...]:
        return self._loads, self._unloads, self._turns, self._sizings, self._ages, self._sizes

    def loaded(self, model: str, *, took_ms: float) -> None:
        """The runtime has the model."""
        self._at(self._loads, model).observe(took_ms)

    def load_failed(self) -> None:
        self.failures["modelmesh_loadmodel_failure"] += 1

    def load_waited(self, model: str, *, waited_ms: float) -> None:
        """A load came to its turn."""
        self._at(self._turns, model).observe(waited_ms)

    def sized(self, model: str, *, size_bytes: int, took_ms: float | None = None) -> None:
        """The size of a loaded model is known; `took_ms`: if the runtime was asked for it."""
        self._at(self._sizes, model).observe(size_bytes)
        if took_ms is not None:
            self._at(self._sizings, model).observe(took_ms)

    def evicted(self, model: str, *, unused_ms: float) -> None:
        """A model goes to make room."""
        self._at(self._ages, model).observe(unused_ms)

    def unloaded(self, model: str, *, took_ms: float) -> None:
        """The runtime has let the model go."""
        self._at(self._unloads, model).observe(took_ms)

    def unload_attempt_failed(self) -> None:
        self.failures["modelmesh_unloadmodel_attempt_failure"] += 1

    def unload_failed(self) -> None:
        """An unload was given up."""
        self.failures["modelmesh_unloadmodel_failure"] += 1

    def forget(self, model: str) -> None:
        """Drop a model's series: it is registered no more."""
        for histogram in self.histograms:
            histogram.forget(model)

    def _at(self, histogram: LabelledHistogram, model: str) -> Histogram:
        return histogram.at((model, ""), model) if self._per_model else histogram.at(())
