"""What all instances decide alike: where a request goes, where a copy is loaded, how many there are.

Owns   the rules of routing, placement, scaling, aliases and drain, and what `remesh explain` says of them.
Never  asks the registry, a peer, a clock or chance. It is given what is known, and answers with a reason.
Read   wanted and view (the question), verdicts (the answers), routing over placement, which stands on
       ranking, constraints, upgrades and failed_copies; demand over rates and usage_marks; scaling and
       shrinking over copy_facts and room; vmodels over vmodel_states; proactive, leaving, reaping;
       explaining over explain_facts, cures, departures; wording.
"""
