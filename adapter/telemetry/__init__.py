"""How we know.

Owns   the form of a log line, what is measured, and what Prometheus is told of it.
Never  is imported by a decision: those return reasons, and the program says them.
Read   logs, request_log; metric_table (every metric), histograms, request_metrics and model_metrics (what is
       written to), exposition (the text), metrics (all of it together), metrics_options.
"""
