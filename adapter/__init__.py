"""Remesh: very many models on few machines. This docstring is the reading order.

A model is *registered*. The **registry** remembers it. When a request for the model arrives, the
**instance** answers from its runtime, or has the model loaded first: the **cache** makes room,
**storage** pulls the bytes, the **layout** says how the files must lie for this runtime, the
**driver** tells the runtime to load. The request goes in through a **server**, passes frame by frame
(**http2**), is read by **wire** without being unpacked, and comes back.

The words       domain
The decisions   cache, layout, http2, wire: no I/O, no clock, no logger
The edges       storage, registry, drivers, servers, peers, cluster: they never know each other
The tools       aio, telemetry, stubs
The programs    instance, put together and started by cli

Programs use edges, edges use decisions, decisions use words; never upwards, never sideways. The rule
is a contract in `pyproject.toml`, checked by `make check`; `docs/architecture.md` explains it.
"""
