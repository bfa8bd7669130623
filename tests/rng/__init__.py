"""A real gRPC service of random numbers, its client and its journal, for the demo and the tests."""
