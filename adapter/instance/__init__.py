"""One adapter beside one runtime, and one of a mesh.

Owns   the path of a request, the carrying out of the cache's commands and of the mesh's wishes, start and
       stop in order.
Never  lets an edge know another: what a step needs of two, it is given here.
Read   settings over mesh_settings and door_settings (named: how one is declared), instance (what starts in
       which order, with registry_door, readiness, static_models), front (the doors), parts and joining
       (what is made of what). A request: request_path over plans, naming, aliases, resolving, sending
       (targets, slots, in_flight), several, shadows, observers. The mesh: mesh_state (what is seen),
       announcer (what is told), wayfinder (the rules asked), peer_links and peer_service, copies. By the
       clock: housekeeping (garbage), scaler, leading over vmodel_moves, drain, crashes, restoring.
       Management: models, vmodels. The runtime: loader with flights, provisioning and unloading,
       runtime_watch. For people: explainer over recalling and reasons, state_lines, relay_figures,
       cache_figures, mesh_figures. Then followed_file with dataplane_file and constraints_file,
       dynamic_config, spi, assembly.
"""
