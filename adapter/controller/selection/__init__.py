"""Which runtimes serve a model, and why not the others.

Owns   ModelMesh's labels, types and constraints; KServe's rules of choice; which runtimes a namespace sees;
       what two runtimes may not both say.
Never  reads a manifest, asks a cluster or knows what runs: specs in, a verdict out.
Read   formats (what both rules share) and refusals (its words), scopes; labels, constraints, modelmesh;
       kserve; admission over multi_node.
"""
