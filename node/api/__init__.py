"""What a node and its users say to each other over HTTP: bodies, limits and operations, as data.

The server, the client, the tests and the OpenAPI document use the same types. Knows the protocol's types alone.
"""
