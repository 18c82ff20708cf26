"""One adapter beside one runtime.

Owns   the path of a request, the carrying out of the cache's commands, start and stop in order.
Never  lets an edge know another: what a step needs of two, it is given here.
Read   settings and door_settings (named: how one is declared), instance (what starts in which order),
       front (the doors); request_path with doors, several and observers; models (management), loader with
       flights and provisioning, runtime_watch; relay_figures and cache_figures (what the metrics read),
       dataplane_file, spi, assembly.
"""
