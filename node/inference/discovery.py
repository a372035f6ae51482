"""Discovery of an OpenAI-compatible server's abilities by requests.

Servers report little and ignore much silently. An ability is one that was observed. The trial requests an answer in the
exact form of answers, and a letter in the exact form of judgements, about an easy pair and in both orders. Each way is
tried after the better ones have failed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from node.inference import llama_cpp, ollama
from node.inference.abilities import (
    CHAT,
    CONSTRAINTS,
    SKIPS,
    SYSTEM,
    THINKING_TOKENS,
    Abilities,
    Skip,
    answer_request,
    choice_request,
    shaped,
)
from node.inference.asking import CANNOT, FAILS, Post, ServerClient, Unreadable
from node.inference.comparing import trial_prompts
from node.inference.config import EngineConfig, hide_secrets
from node.inference.http_json import HttpRefused, JsonClient, Unreachable
from node.inference.ports import CacheCounts, CacheReport, Completion, EngineError, JudgingMethod, Sampling
from node.inference.replies import ListedModel, count_logprobs, parse_cache, parse_choice, parse_models, parse_text
from node.inference.text_cleanup import clean
from node.inference.untrusted import control_tokens
from node.inference.vllm import dialect as vllm
from protocol.conversation import single
from protocol.types import TaskType

TOP_LOGPROBS = (20, 5)
"""Alternatives to request: the most that vLLM and OpenAI give (a letter beyond them has no relevant mass), else the
most of OpenAI's raw completions and of servers configured to give fewer."""

TRIAL_MASS_MIN = 0.5
"""Least probability of the two letters together, in either order of the trial. If a model wants to write something else
about an easy pair, the mass left for the letters is noise. SmolLM2-135M gives them more by few-shot prompts."""

SPEED_TOKENS = 24
"""Tokens of the trial answer and of the timed one: a tenth of a second on a GPU, a few seconds on a slow CPU."""

SPEED_QUERY = "Count from one to fifty in words."

NO_LIST = CANNOT | {401, 403}
"""Statuses that mean that there is no list of models: hosted keys may be valid for chats alone. A bad key is refused at
the chat as well."""

OPTIONAL = ("seed", "top_p", SYSTEM, "temperature")
"""Dispensable parts of an answer's request, the least needed first."""

UNNAMED = frozenset({400, 422, 500})
"""Statuses of a request that a server understood, and refused or failed at."""

_CONSTRAINED = ("QZ", "ZQ")
"""Texts that no model writes by itself: they show that a constraint is obeyed."""

_NO_CHAT = re.compile(
    r"embed|rerank|whisper|(?:^|[/_-])(?:bge|e5|gte|tts|clip)[_-]|all-minilm|moderation|dall-e|transcribe",
    re.IGNORECASE,
)
"""Names of models that write no text. Lists of models do not contain a model's purpose."""


_log = structlog.get_logger(__name__)


def writes_text(model: str) -> bool:
    """Whether a model of this name writes text; others embed, transcribe or draw."""
    return not _NO_CHAT.search(model)


async def list_models(client: JsonClient, config: EngineConfig) -> tuple[ListedModel, ...]:
    """Return the models that the server lists. Raises EngineError.

    A configured model needs no list: a server without one, or that shows it to other keys only, is used without.
    """
    try:
        return parse_models(await client.get("/v1/models"))
    except HttpRefused as refusal:
        if not config.model or refusal.status not in NO_LIST:
            raise
        return ()


async def discover(client: JsonClient, post: Post, config: EngineConfig) -> ServerClient:
    """Discover a server with some ten short requests if it behaves as OpenAI's, with at most fifty otherwise.

    Raises EngineError.
    """
    models = await list_models(client, config)
    model = _wanted(models, config)
    by_name = {each.name: each for each in models}
    listed = by_name.get(model) or ListedModel(model, None)
    _log.info("engine.probe_started", model=model)
    # An adapter has the context of its model.
    told = listed.context_tokens or (by_name[listed.parent].context_tokens if listed.parent in by_name else None)
    tokens = await _find_control_tokens(client)
    can = Abilities(model, models, told or config.context_tokens, control_tokens=tokens)
    asking = ServerClient(post, hide_secrets(config.url), can)
    await _find_thinking(asking, config)
    reply = await _find_judging(asking)
    asking.can = replace(asking.can, cache_report=await _find_cache_report(client, reply))
    return asking


async def cache_counts(client: JsonClient) -> CacheCounts | None:
    """Return the prefix cache's counts in vLLM's metrics; None at any other server. Nothing depends on them."""
    try:
        return vllm.prefix_cache(await client.text("/metrics"))
    except EngineError:
        return None


async def _find_control_tokens(client: JsonClient) -> tuple[str, ...]:
    """Return the tokens of llama.cpp's /props; other servers report none, and known ones are always broken up."""
    try:
        return control_tokens(llama_cpp.token_words(await client.get("/props")))
    except EngineError:
        return ()


def _wanted(models: Sequence[ListedModel], config: EngineConfig) -> str:
    names = [model.name for model in models]
    if config.model:
        if config.model in names or not names:
            return config.model
        same = [name for name in names if ollama.is_same(name, config.model)]
        if len(same) == 1:
            return same[0]
    elif names:
        return next(filter(writes_text, names), names[0])
    listed = ", ".join(ascii(name[:80]) for name in names[:8]) or "none"
    missing = f"no model {config.model!r}" if config.model else "no model"
    raise EngineError(
        f"engine at {hide_secrets(config.url)} has {missing}; it lists: {listed}; name one in engine.model"
    )


def trial_answer(can: Abilities, config: EngineConfig) -> dict[str, Any]:
    """Build the request of a short answer in the exact form of answers, so that its problems show here."""
    seed = None if config.seed is None else 0
    sampling = Sampling(config.temperature, config.top_p, seed, max_tokens=SPEED_TOKENS)
    return answer_request(can, single(SPEED_QUERY), TaskType.OPEN, sampling)


async def _find_thinking(asking: ServerClient, config: EngineConfig) -> None:
    """Find out whether the model writes text at once, and how to make it do so. Refusals of chat show at the probe."""
    completion = await _first_answer(asking, config)
    if completion is None or clean(completion.text):
        return
    if not (completion.reasoned or completion.text or completion.answer_tokens > 1):
        # An empty text, without thoughts that could have used up the tokens.
        return
    for skip in SKIPS[1:]:
        try:
            completion = await asking.complete(trial_answer(replace(asking.can, skip=skip), config))
        except (HttpRefused, Unreadable) as error:
            if isinstance(error, HttpRefused) and error.status not in FAILS:
                raise
            continue
        if clean(completion.text):
            asking.can = replace(asking.can, skip=skip)
            return
    asking.can = replace(asking.can, thinking_tokens=THINKING_TOKENS)


async def _first_answer(asking: ServerClient, config: EngineConfig) -> Completion | None:
    """Return an answer, dropping optional parts while the server fails without naming one; None: there is none."""
    before: dict[str, Any] = {}
    for count in range(len(OPTIONAL) + 1):
        left_out = frozenset(OPTIONAL[:count])
        body = shaped(trial_answer(asking.can, config), left_out)
        if body == before:
            continue
        before = body
        try:
            completion = await asking.complete(body)
        except Unreadable:
            return None
        except HttpRefused as refusal:
            if refusal.status not in FAILS:
                raise
            if refusal.status not in UNNAMED:
                return None
            continue
        asking.can = replace(asking.can, refused=asking.can.refused | left_out)
        return completion
    return None


async def _find_judging(asking: ServerClient) -> Mapping[str, Any]:
    """Take the best way to judge that works. Returns the reply that showed it, or an empty one."""
    for find in (_find_constraint, _find_raw, _find_chat, _find_choice, _find_text):
        try:
            trial = await find(asking)
        except (HttpRefused, Unreachable):
            raise
        except EngineError as error:
            # Too slow, or no JSON: this way does not work. The probe will report faults common to all ways.
            _log.info("engine.trial_failed", reason=str(error))
            continue
        if trial is not None and trial.works:
            return trial.reply
    return {}


async def _find_constraint(asking: ServerClient) -> "_Trial | None":
    """Find out whether a choice can be enforced; judging by it is tried after the better ways."""
    for constraint in CONSTRAINTS:
        request = choice_request(asking.can, constraint, "Name the capital of France.", _CONSTRAINED)
        try:
            text = clean(parse_text(await asking.post(CHAT, request)))
        except HttpRefused as refusal:
            # Some fail instead of refusing an unknown field.
            if refusal.status not in FAILS:
                raise
            continue
        if parse_choice(text, _CONSTRAINED) is not None:
            asking.can = replace(asking.can, constraint=constraint)
            break
    return None


async def _find_raw(asking: ServerClient) -> "_Trial | None":
    for top in TOP_LOGPROBS:
        trial = await _take(asking, judging=JudgingMethod.RAW, top_logprobs=top)
        if not trial.refused:
            return trial
    return None


async def _find_chat(asking: ServerClient) -> "_Trial | None":
    """Try chat with logprobs. A model that thinks first has no mass on the letters, unless it is kept from it."""
    for skip in _skips(asking.can):
        trial = None
        for top in TOP_LOGPROBS:
            trial = await _take(asking, judging=JudgingMethod.CHAT, top_logprobs=top, skip=skip)
            if trial.works:
                return trial
            if not trial.refused:
                break
        if trial is None or (not trial.logprobs and skip is asking.can.skip):
            return None
    return None


async def _find_choice(asking: ServerClient) -> "_Trial | None":
    return None if asking.can.constraint is None else await _take(asking, judging=JudgingMethod.CHOICE)


async def _find_text(asking: ServerClient) -> "_Trial | None":
    for skip in _skips(asking.can):
        trial = await _take(asking, judging=JudgingMethod.TEXT, skip=skip)
        if trial.works:
            return trial
    # It may answer at once and think only when there is something to compare.
    return (
        None
        if asking.can.thinking_tokens
        else await _take(asking, judging=JudgingMethod.TEXT, thinking_tokens=THINKING_TOKENS)
    )


def _skips(can: Abilities) -> list[Skip]:
    """Return the way that answers take, then the others."""
    return [can.skip, *(skip for skip in SKIPS if skip is not can.skip)]


@dataclass(frozen=True, slots=True)
class _Trial:
    """The result of one way of judging."""

    works: bool
    refused: bool
    logprobs: int
    reply: Mapping[str, Any]


async def _take(asking: ServerClient, **changes: Any) -> _Trial:
    """Try one way of judging, and keep it if it works: the letters have most of the mass, in both orders."""
    reply: Mapping[str, Any] = {}
    for text in trial_prompts():
        try:
            letter = await asking.letter(replace(asking.can, **changes), text)
        except HttpRefused as refusal:
            if refusal.status not in FAILS:
                raise
            return _Trial(False, True, 0, {})
        reply = letter.reply
        if letter.preference is None or letter.mass < TRIAL_MASS_MIN:
            return _Trial(False, False, count_logprobs(reply), reply)
    found = count_logprobs(reply) if changes["judging"] in (JudgingMethod.RAW, JudgingMethod.CHAT) else 0
    asking.can = replace(asking.can, **changes, logprobs=found)
    return _Trial(True, False, found, reply)


async def _find_cache_report(client: JsonClient, reply: Mapping[str, Any]) -> CacheReport:
    if parse_cache(reply) is not None:
        return CacheReport.USAGE
    return CacheReport.NONE if await cache_counts(client) is None else CacheReport.METRICS
