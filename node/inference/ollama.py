"""Features of Ollama only: names of models with a tag."""


def is_same(listed: str, wanted: str) -> bool:
    """Whether a listed model is the one that a user names without its default tag, or in different case."""
    listed, wanted = listed.casefold(), wanted.casefold()
    return listed in (wanted, f"{wanted}:latest")
