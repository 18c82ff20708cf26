"""How a runtime is told to load and unload.

Owns   one driver for each kind of runtime, behind one protocol.
Never  pulls, arranges or decides. It is given a folder that is ready.
Read   runtime (the protocol), calls (channels and foreign errors), open_inference (what two of them share),
       then one module for each runtime.
"""
