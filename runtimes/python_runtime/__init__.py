"""The in-house runtime: very many small models in one process, over the Open Inference Protocol.

Owns   loading, holding and asking models; gRPC and REST in front of them. Started by
       `python -m runtimes.python_runtime --help`; `README.md` here is for its users.
Never  pulls, evicts or decides what is loaded: it is told through the repository calls, and it starts empty.
       It knows the contract (`adapter.stubs`, `adapter.wire`) and nothing else of the adapter.
Read   errors, signature and settings (the words), tensors, flavours (one module for each format), repository,
       admission and batching, inference (the path of a request), then server, rest and program.

Two rules hold everywhere. A model that is loaded costs memory and nothing else: no thread, no open file, no
lock of its own. And what a request needs is found without asking the disk.
"""
