"""What the mesh is told of a model, and what the model's status tells people.

Owns   the registration of a model (its alias, ids and key), and `status` of `Predictor` and
       `InferenceService`: states, transition, last failure, copies, conditions, addresses, pauses.
Never  calls anybody. What was observed comes in as a value, what is to be written goes out as one.
Read   registering; standing (the values), states, failures and judging (the rules), wording, pauses, events;
       predictor_status and isvc_status over parts and conditions; served, times and difference, alongside.
"""
