"""Constant gRPC load while tasks, HAProxy and rollcalld come and go: what did a caller notice?

- traffic: processes that call at a steady rate, and keep a record of each call
- verdict: the records beside the tasks' own journals: failed, cut, executed twice, and was it to be expected
- stage: fake AWS, HAProxy with a small configuration and rollcalld, for one run
- cases: what happens during a run
- results: the table in tests/functional/RESULTS.md
- run: the command
- soak: another one: HAProxy reloaded a thousand times; does rollcalld grow?
- agent_cases, spop_agent: what the SPOE agent does under such a load, and an agent that misbehaves; spoe: the command
"""
