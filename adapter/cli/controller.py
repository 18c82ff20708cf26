"""`remesh controller`: what people declare becomes runtimes, registrations and statuses."""

from enum import Enum
from typing import Annotated

import typer

from adapter.cli.running import fail, run
from adapter.cli.settings import BadSettings, read_settings, settings_help
from adapter.controller.settings import ControllerSettings
from adapter.telemetry import logs


class LeaderElectType(Enum):
    """`--leader-elect-type`; ModelMesh's `life`, a lock until the pod is deleted, is not offered."""

    LEASE = "lease"


MetricsAddr = Annotated[str | None, typer.Option(help="HOST:PORT of the metrics; 0: none.")]
ProbeAddr = Annotated[str | None, typer.Option(help="HOST:PORT of /healthz and /readyz; 0: none.")]
Electing = Annotated[
    bool | None, typer.Option("--enable-leader-election", help="Of several controllers only one acts.")
]
Electoral = Annotated[LeaderElectType | None, typer.Option(help="How a leader is elected; there is one way.")]
LeaseS = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="A leader that is silent so long is none: 15, or 15s."),
]
RenewS = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="A leader that cannot renew for so long gives up."),
]
RetryS = Annotated[str | None, typer.Option(metavar="SECONDS", help="How often it is renewed, or tried for.")]
Kubeconfig = Annotated[str | None, typer.Option(help="Outside of a cluster: how to reach it.")]
Context = Annotated[str | None, typer.Option(help="The kubeconfig's context.")]
LogForm = Annotated[str | None, typer.Option(help="json, or text for people.")]


def command(  # noqa: PLR0913 - its options
    *,
    metrics_addr: MetricsAddr = None,
    health_probe_bind_address: ProbeAddr = None,
    enable_leader_election: Electing = None,
    leader_elect_type: Electoral = None,
    leader_elect_lease_duration_sec: LeaseS = None,
    leader_elect_lease_renew_deadline_sec: RenewS = None,
    leader_elect_retry_period_sec: RetryS = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    log_format: LogForm = None,
) -> None:
    """Look after the ServingRuntimes, InferenceServices and Predictors of a Kubernetes cluster.

    Settings are environment variables, with ModelMesh's names where it has one; an option wins over its
    variable. What may change while it runs is in the ConfigMap model-serving-config. On one machine, `remesh
    up --manifests` does the same over a folder.
    """
    del leader_elect_type  # it can only be what it is
    try:
        settings = read_settings(
            ControllerSettings,
            metrics_address=metrics_addr,
            probe_address=health_probe_bind_address,
            leader_election=enable_leader_election,
            lease_s=leader_elect_lease_duration_sec,
            renew_deadline_s=leader_elect_lease_renew_deadline_sec,
            retry_s=leader_elect_retry_period_sec,
            kubeconfig=kubeconfig,
            context=context,
            log_format=log_format,
        )
    except BadSettings as error:
        fail(f"these settings must be mended first:\n{error}")
    if settings.dev_mode_logging is None:
        logs.configure(level=settings.log_level, form=settings.log_format)
    else:
        logs.configure(level="debug", form="text")
    from adapter.controller.program import run_controller  # with lightkube, which no other command needs

    run(run_controller(settings))


def epilog() -> str:
    """The end of its help."""
    return settings_help(ControllerSettings)
