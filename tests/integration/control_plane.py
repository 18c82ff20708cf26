"""A real control plane on loopback: etcd, API server, controller manager, scheduler; and `kubectl`.

Nothing runs pods here; that is what `tests/kubelet` is for. Each part can be stopped, killed and frozen.
"""

import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.integration import etcd, mesh
from tests.integration.conftest import tool
from tests.tools import kubernetes as recipe

START_S_MAX = 60.0
COMMAND_S_MAX = 60.0
HOST = "127.0.0.1"

ADMIN = "admin"
"""May do everything."""
NOBODY = "nobody"
"""Is known, and may do nothing."""
USERS = {
    ADMIN: ("system:masters",),
    NOBODY: (),
    "system:kube-controller-manager": ("system:masters",),
    "system:kube-scheduler": (),
}
"""Each with its groups; they have a token."""


@dataclass(slots=True, kw_only=True)
class Component:
    """One process of the control plane."""

    name: str
    command: Sequence[str]
    folder: Path
    child: subprocess.Popen[bytes] | None = None

    @property
    def said(self) -> str:
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    @property
    def ended(self) -> bool:
        return self.child is None or self.child.poll() is not None

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.child = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """Asked to end, an API server first waits for who watches."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It neither answers nor closes a connection."""
        assert self.child is not None
        os.kill(self.child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.child.pid, signal.SIGCONT)


@dataclass(slots=True, kw_only=True)
class ControlPlane:
    """All of it, with an account for everybody who asks."""

    folder: Path
    etcd: etcd.Etcd
    kubectl_program: Path
    bind: str
    port: int = field(default_factory=mesh.free_port)
    tokens: dict[str, str] = field(default_factory=dict)
    api_server: Component = field(init=False)
    controller_manager: Component = field(init=False)
    scheduler: Component = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = {user: secrets.token_hex(16) for user in USERS}
        self._write_files()
        self.api_server = self._component("kube-apiserver", *self._api_server_flags())
        own = ("--leader-elect=false", "--secure-port", "0", "--kubeconfig")
        self.controller_manager = self._component(
            "kube-controller-manager",
            *(*own, str(self.kubeconfig("system:kube-controller-manager"))),
            *("--service-account-private-key-file", str(self.folder / "accounts.key")),
            *("--root-ca-file", str(self.authority)),
        )
        self.scheduler = self._component(
            "kube-scheduler", *own, str(self.kubeconfig("system:kube-scheduler"))
        )

    def _component(self, name: str, *flags: str) -> Component:
        program = str(self.kubectl_program.with_name(name))
        return Component(name=name, command=(program, *flags), folder=self.folder)

    # Where things are.

    @property
    def url(self) -> str:
        """On every address, the certificate names this one all the same."""
        return f"https://{HOST if self.bind == HOST else 'localhost'}:{self.port}"

    @property
    def authority(self) -> Path:
        """The certificate that the API server's own is known by; it makes one when it first starts."""
        return self.folder / "certificates" / "apiserver.crt"

    def kubeconfig(self, user: str = ADMIN, *, token: str | None = None) -> Path:
        """A file for this user, or for whoever has the token."""
        place = self.folder / "kubeconfigs" / user.replace(":", "-").replace("/", "-")
        place.parent.mkdir(exist_ok=True)
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token or self.tokens[user]}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
        }
        place.write_text(json.dumps(content))
        return place

    def account(self, namespace: str, name: str) -> Path:
        """The kubeconfig of a service account, which must be there, with its rights."""
        token = self.kubectl("create", "token", name, "--namespace", namespace).strip()
        return self.kubeconfig(f"{namespace}/{name}", token=token)

    # As an operator.

    def kubectl(self, *words: str, stdin: str = "", user: str = ADMIN) -> str:
        """Its output; that it fails is the test's failure."""
        done = self.tried(*words, stdin=stdin, user=user)
        assert done.returncode == 0, f"kubectl {' '.join(words[:3])}: {done.stderr}{done.stdout}"
        return done.stdout

    def tried(self, *words: str, stdin: str = "", user: str = ADMIN) -> subprocess.CompletedProcess[str]:
        """`kubectl`, whatever comes of it."""
        command = [str(self.kubectl_program), "--kubeconfig", str(self.kubeconfig(user)), *words]
        # What it remembers of a server lies in its home, and servers of another run may have had this port.
        env = os.environ | {"KUBECACHEDIR": str(self.folder / "kubectl")}
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False, env=env
        )

    def read(self, *words: str) -> Any:
        """What `kubectl get` prints as JSON."""
        return json.loads(self.kubectl("get", *words, "--output", "json"))

    # Its life.

    def start(self) -> None:
        """Until it answers, and service accounts are made; pods can be created from now on."""
        self.api_server.start()
        self.wait_until_ready()
        self.controller_manager.start()
        self.scheduler.start()
        self._wait_for_accounts()

    def kill(self) -> None:
        for component in (self.scheduler, self.controller_manager, self.api_server):
            component.kill()

    def wait_until_ready(self) -> None:
        """Until the API server says so; if it ends instead, its output is the failure."""
        ends_s = time.monotonic() + START_S_MAX
        while not self._is_ready():
            assert not self.api_server.ended, f"it ended:\n{self.api_server.said[-4000:]}"
            assert time.monotonic() < ends_s, f"it is not ready:\n{self.api_server.said[-4000:]}"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        return self._asked("/readyz") is not None

    def _wait_for_accounts(self) -> None:
        ends_s = time.monotonic() + START_S_MAX
        while self._asked("/api/v1/namespaces/default/serviceaccounts/default") is None:
            assert not self.controller_manager.ended, f"it ended:\n{self.controller_manager.said[-4000:]}"
            assert time.monotonic() < ends_s, f"no account:\n{self.controller_manager.said[-4000:]}"
            time.sleep(0.05)

    def _asked(self, path: str) -> bytes | None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, self.port)) or not self.authority.exists():
                return None
        # The certificate that it makes for itself is replaced once, while it starts.
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError):
            trusted = ssl.create_default_context(cafile=str(self.authority))
            request = urllib.request.Request(self.url + path)
            request.add_header("Authorization", f"Bearer {self.tokens[ADMIN]}")
            with urllib.request.urlopen(request, timeout=2, context=trusted) as answer:
                return bytes(answer.read())
        return None

    def _api_server_flags(self) -> list[str]:
        return [
            *("--etcd-servers", self.etcd.url, "--etcd-prefix", "/cluster"),
            *("--bind-address", self.bind, "--secure-port", str(self.port)),
            *("--cert-dir", str(self.authority.parent)),
            *("--service-account-key-file", str(self.folder / "accounts.key")),
            *("--service-account-signing-key-file", str(self.folder / "accounts.key")),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--token-auth-file", str(self.folder / "tokens.csv")),
            *("--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/16"),
            *("--profiling=false", "--endpoint-reconciler-type=none"),
        ]

    def _write_files(self) -> None:
        lines = [
            f'{self.tokens[user]},{user},{user},"{",".join(groups)}"\n' for user, groups in USERS.items()
        ]
        (self.folder / "tokens.csv").write_text("".join(lines))
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        (self.folder / "accounts.key").write_bytes(pem)


@contextmanager
def running(folder: Path, *, bind: str = HOST) -> Iterator[ControlPlane]:
    """A control plane, until the end of the block. Skips the test if there is none, or no etcd.

    `bind` may be `0.0.0.0`, so that pods with an address of their own reach it.
    """
    kubectl = tool(recipe.RECIPE).with_name("kubectl")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        store = stack.enter_context(etcd.serving(folder))
        plane = ControlPlane(folder=folder, etcd=store, kubectl_program=kubectl, bind=bind)
        stack.callback(plane.kill)
        plane.start()
        yield plane
