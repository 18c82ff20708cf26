# One image for every program; the command chooses: `instance` (the default), `demo`, ... and the paths that
# ModelMesh's manifests call. Build the sidecar alone, without model libraries, with --build-arg EXTRAS=.
ARG PYTHON_IMAGE=python:3.12.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# Which extras of pyproject.toml go in, with brackets: [all-runtimes], [demo], or nothing.
ARG EXTRAS=[all-runtimes]
# What every call passes through is compiled (docs/adr/0012-the-core-can-be-compiled.md); the compiler stays here.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml constraints.txt hatch_build.py README.md LICENSE ./
COPY adapter adapter
COPY runtimes runtimes
# As variables, constraints hold for what compiles, too; newer versions of pip have a second one for that.
ENV REMESH_COMPILED=1 \
    PIP_CONSTRAINT=/src/constraints.txt \
    PIP_BUILD_CONSTRAINT=/src/constraints.txt
RUN python -m venv /opt/remesh \
    && /opt/remesh/bin/python -m pip install --no-cache-dir --no-compile ".${EXTRAS}" \
    && find /opt/remesh -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +

FROM ${PYTHON_IMAGE}
# libgomp: what lightgbm, xgboost and scikit-learn compute with.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/remesh /opt/remesh
COPY --chmod=755 deploy/image/stop.sh /opt/kserve/mmesh/stop.sh
COPY --chmod=755 deploy/image/adapter /opt/app/puller
RUN for server in mlserver triton ovms torchserve; do ln -s puller /opt/app/$server-adapter; done \
    && mkdir -p /models /var/lib/remesh \
    && chown 2000:2000 /models /var/lib/remesh
ENV PATH=/opt/remesh/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    REMESH_DATA_DIR=/var/lib/remesh
WORKDIR /opt/kserve/mmesh
USER 2000
EXPOSE 8033 8008 2112 8084 8085
ENTRYPOINT ["remesh"]
CMD ["instance"]
