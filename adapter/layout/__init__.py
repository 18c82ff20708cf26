"""How a model's files must lie for the runtime that loads them.

Owns   the plan: which links, copies and small files make up the folder that a runtime is shown.
Never  touches a disk. It is given names and the few small files that it must read; it answers with a plan.
Read   files (what was pulled), plan (what to do), paths, model_type, schema, model_settings (what two
       runtimes share), then one module for each runtime.
"""
