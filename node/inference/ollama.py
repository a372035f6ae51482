"""What only Ollama does: names of models with a tag."""


def is_same(listed: str, wanted: str) -> bool:
    """Whether a listed model is the one that a user names without its default tag, or in another case of letters."""
    listed, wanted = listed.casefold(), wanted.casefold()
    return listed in (wanted, f"{wanted}:latest")
