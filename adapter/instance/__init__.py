"""One adapter beside one runtime.

Owns   the path of a request, the carrying out of the cache's commands, start and stop in order.
Never  lets an edge know another: what a step needs of two, it is given here.
Read   settings, instance (what starts in which order), request_path, models (management), loader with
       flights and provisioning, runtime_watch, spi, assembly.
"""
