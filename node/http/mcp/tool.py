"""One tool: what an agent reads of it, and how a call is checked and answered."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext

from node.errors import UserError
from node.http.openapi import described_schema

Context = ServerRequestContext[Any, Any]


class ToolError(UserError):
    """A call that gave no result. The message is one line for the agent, which may correct its call."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what the agent reads of it, and its work."""

    name: str
    description: str
    arguments: type[msgspec.Struct]
    work: Callable[[Any, Context], Awaitable[Mapping[str, Any]]]
    result: type[msgspec.Struct] | None = None
    """Type of the result; None: an object that its `description` explains."""
    read_only: bool = True
    """Whether a call changes nothing, nor costs anybody work."""

    def described(self) -> types.Tool:
        """Return the tool as the protocol lists it."""
        return types.Tool(
            name=self.name,
            description=self.description,
            input_schema=described_schema(self.arguments),
            output_schema=None if self.result is None else described_schema(self.result),
            annotations=types.ToolAnnotations(
                read_only_hint=self.read_only, destructive_hint=False, open_world_hint=not self.read_only
            ),
        )

    async def call(self, arguments: Mapping[str, Any], context: Context) -> types.CallToolResult:
        """Check the arguments and do the work; what is wrong with either is the result's text."""
        try:
            result = await self.work(msgspec.convert(arguments, self.arguments), context)
        except (msgspec.ValidationError, UserError) as error:
            return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True)
        text = json.dumps(result, ensure_ascii=False)
        return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=dict(result))
