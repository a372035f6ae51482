"""Messages between a node and its users over HTTP: bodies, limits and operations, as data.

The server, the client, the tests and the OpenAPI document use the same types. Imports the protocol's types only.
"""
