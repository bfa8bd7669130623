"""What the functional tests are made of: real processes, started and ended by the test that needs them.

- paths: where the programs are
- waiting: waits for events, never for time
- process: a child process with its output in a file
- haproxy: HAProxy and its runtime API
- daemon: rollcalld, its control socket and the rollcall command
- fixtures (in ../conftest.py) put them together
"""
