"""nginx as a gRPC proxy at its best: one worker, no log, upstream connections kept, nothing limited.

The sizes are those with which it takes least: with the default buffer for responses 4 MiB cost it three times
as much, and with the default window 64 KiB wait for credit once.
"""

from pathlib import Path

CONFIG = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log crit;

events {{
    worker_connections 1024;
    accept_mutex off;
    multi_accept on;
}}

http {{
    access_log off;
    tcp_nodelay on;
    server_tokens off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_max_body_size 0;
    client_body_buffer_size 256k;
    http2_body_preread_size 256k;
    http2_max_concurrent_streams 1024;
    http2_chunk_size 16k;
    {temporary}

    upstream backend {{
        server {upstream};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}

    server {{
        listen 127.0.0.1:{port} http2;
        location / {{
            grpc_pass grpc://backend;
            grpc_buffer_size 256k;
            grpc_next_upstream off;
        }}
    }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def write_config(folder: Path, *, port: int, upstream: str) -> Path:
    """The configuration file, with all that nginx writes below `folder`."""
    path = folder / "nginx.conf"
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in _TEMPORARY)
    path.write_text(CONFIG.format(folder=folder, port=port, upstream=upstream, temporary=temporary))
    return path
