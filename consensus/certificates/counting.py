"""Waves and stages in words: the protocol counts them from 0, people from 1."""


def wave_words(wave: int) -> str:
    """Return the name of a wave of judging, such as "wave 1" for the first, whose number is 0."""
    return f"wave {wave + 1}"


def stage_words(stage: int) -> str:
    """Return the name of a stage of testing, such as "stage 1" for the first, whose number is 0."""
    return f"stage {stage + 1}"
