"""What is measured of each inference call, in about a microsecond for all of it.

Not measured, as in ModelMesh (reference: ModelMesh core 6.2): management calls, and calls that failed before
it was known which model they are for.
"""

from adapter.telemetry.histograms import OTHER, Histogram, LabelledHistogram

METHODS_MAX = 200
"""Methods with a label of their own; all further ones share `other`."""

CALLS_MAX = 20_000
"""Combinations that are found at once; the others take a few microseconds."""

UNKNOWN_METHOD = "unknown"

CODES = frozenset(
    {
        *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
        *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED"),
        *("OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
    }
)

_PROVE_NOTHING = frozenset({"UNIMPLEMENTED", "CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"})
"""Codes with which a call of any method may end, whether there is such a method or not."""


class _Outside:
    """The three histograms of one kind of call from outside."""

    __slots__ = ("duration", "request", "response")

    def __init__(self, duration: Histogram, request: Histogram, response: Histogram) -> None:
        self.duration, self.request, self.response = duration, request, response


class RequestMetrics:
    """The instruments of inference calls.

    `method` is `package.Service/Method`; "" for a method that was refused as unknown, since its name is the
    client's. Its label is the part after the slash, unless `fq_names`. `code` is gRPC's name of the code.
    `model` must be the id of a registered model or "", for the same reason, and only counts with `per_model`.
    """

    def __init__(
        self, *, per_model: bool = False, fq_names: bool = False, known_methods: frozenset[str] = frozenset()
    ) -> None:
        """`known_methods` have a label from the start; others earn theirs by a call that proves them."""
        self._per_model = per_model
        self._fq_names = fq_names
        self._methods = {method: self._label(method) for method in known_methods}
        self._outside: dict[str, dict[tuple[str, str, str], _Outside]] = {}
        self._inside: dict[str, dict[tuple[str, str, str], Histogram]] = {}
        self._kept = 0
        self._durations = LabelledHistogram("modelmesh_api_request_milliseconds", per_model=per_model)
        self._requests = LabelledHistogram("modelmesh_request_size_bytes", per_model=per_model)
        self._responses = LabelledHistogram("modelmesh_response_size_bytes", per_model=per_model)
        self._invocations = LabelledHistogram("modelmesh_invoke_model_milliseconds", per_model=per_model)
        self._misses = LabelledHistogram("modelmesh_cache_miss_milliseconds", per_model=per_model)
        self._slot_waits = LabelledHistogram("modelmesh_req_queue_delay_milliseconds", per_model=per_model)

    @property
    def histograms(self) -> tuple[LabelledHistogram, ...]:
        return (
            *(self._durations, self._invocations, self._requests, self._responses),
            *(self._misses, self._slot_waits),
        )

    def api_request(  # noqa: PLR0913, PLR0917 - by position and in one call, since this is the hot path
        self,
        method: str,
        code: str,
        duration_ms: float,
        request_bytes: int,
        response_bytes: int | None,
        model: str = "",
        vmodel: str = "",
    ) -> None:
        """A call from outside has ended; `response_bytes` None: without a response."""
        if not self._per_model:
            model = vmodel = ""
        try:
            series = self._outside[model][method, code, vmodel]
        except KeyError:
            series = self._outside_first(method, code, model, vmodel)
        series.duration.observe(duration_ms)
        series.request.observe(request_bytes)
        if response_bytes is not None:
            series.response.observe(response_bytes)

    def invoked(self, method: str, code: str, duration_ms: float, model: str = "", vmodel: str = "") -> None:
        """A call to our runtime has ended."""
        if not self._per_model:
            model = vmodel = ""
        try:
            series = self._inside[model][method, code, vmodel]
        except KeyError:
            series = self._inside_first(method, code, model, vmodel)
        series.observe(duration_ms)

    def cache_miss(self, duration_ms: float, model: str = "") -> None:
        """A call had to wait for a load: more than 10 ms, as ModelMesh counts (reference: core 4.6)."""
        self._of_model(self._misses, model).observe(duration_ms)

    def slot_waited(self, duration_ms: float, model: str = "") -> None:
        """A call had to wait because its model was at its concurrency limit."""
        self._of_model(self._slot_waits, model).observe(duration_ms)

    def forget(self, model: str) -> None:
        """Drop a model's series: it is registered no more."""
        if model:
            self._kept -= len(self._outside.pop(model, ())) + len(self._inside.pop(model, ()))
            for histogram in self.histograms:
                histogram.forget(model)

    def _of_model(self, histogram: LabelledHistogram, model: str) -> Histogram:
        return histogram.at((model, ""), model) if self._per_model else histogram.at(())

    def _outside_first(self, method: str, code: str, model: str, vmodel: str) -> _Outside:
        values, is_final = self._values(method, code, model, vmodel)
        series = _Outside(*(h.at(values, model) for h in (self._durations, self._requests, self._responses)))
        if is_final and self._kept < CALLS_MAX:
            self._kept += 1
            self._outside.setdefault(model, {})[method, code, vmodel] = series
        return series

    def _inside_first(self, method: str, code: str, model: str, vmodel: str) -> Histogram:
        values, is_final = self._values(method, code, model, vmodel)
        series = self._invocations.at(values, model)
        if is_final and self._kept < CALLS_MAX:
            self._kept += 1
            self._inside.setdefault(model, {})[method, code, vmodel] = series
        return series

    def _values(self, method: str, code: str, model: str, vmodel: str) -> tuple[tuple[str, ...], bool]:
        """The values of the labels, and whether a further call of the same will have the same."""
        code = code if code in CODES else "UNKNOWN"
        label = self._methods.get(method)
        if label is None:
            label = self._learn(method, code)
        # An alias that stands for no model may be any word of a client's.
        values = (label, code, model, vmodel if model else "") if self._per_model else (label, code)
        return values, method in self._methods

    def _learn(self, method: str, code: str) -> str:
        if not method or code in _PROVE_NOTHING:
            return UNKNOWN_METHOD
        if len(self._methods) >= METHODS_MAX:
            return OTHER
        return self._methods.setdefault(method, self._label(method))

    def _label(self, method: str) -> str:
        return method if self._fq_names else method.rpartition("/")[2]
