"""Remesh: very many models on few machines. This docstring is the reading order.

A model is *registered*. The **registry** remembers it, and every instance sees the same records. When a
request for the model arrives anywhere, the **mesh** decides: answer here, forward to the **instance** that
holds a copy, or load one, and where. The chosen instance's **cache** makes room, **storage** pulls the bytes,
the **layout** says how the files must lie for this runtime, the **driver** tells the runtime to load. The
request goes in through a **server**, passes frame by frame (**http2**), is read by **wire** without being
unpacked, and comes back. **Peers** are how one instance asks another. Where models are declared and not
registered by hand, the **controller** reads the objects of a **cluster** and brings all of this about.

The words       domain
The decisions   mesh, cache, layout, http2, wire: no I/O, no clock, no logger
The edges       storage, registry, drivers, servers, peers, cluster: they never know each other
The tools       aio, telemetry, stubs
The programs    instance and controller, put together and started by cli; up and demo start whole meshes

Programs use edges, edges use decisions, decisions use words; never upwards, never sideways. The rule
is a contract in `pyproject.toml`, checked by `make check`; `docs/architecture.md` explains it.
"""
