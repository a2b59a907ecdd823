"""Says whether a given Redis is one that we can work with."""

from typing import cast
from urllib.parse import urlsplit

import redis

from meetbot_calendar.embedded.trouble import CannotStart

_OLDEST = 6


def check_redis(url: str, name: str = "MEETBOT_REDIS_URL") -> str:
    """Return what it is, such as ``Redis 7.2.4``. Raises ``CannotStart``, without the password."""
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        facts = cast("dict[str, object]", client.info("server"))
    except redis.AuthenticationError as error:
        raise CannotStart(f"{name} is refused: {error}", "correct the password") from None
    except (redis.RedisError, OSError) as error:
        cause = f"the Redis in {name} does not answer at {_where(url)}: {error}"
        raise CannotStart(cause, "start it, or correct its address") from None
    finally:
        client.close()
    version = str(facts.get("valkey_version") or facts["redis_version"])
    if int(version.partition(".")[0]) < _OLDEST:
        cause = f"{name} is a Redis {version}, which is too old"
        raise CannotStart(cause, f"give a Redis {_OLDEST} or newer")
    return f"{'Valkey' if 'valkey_version' in facts else 'Redis'} {version}"


def _where(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
