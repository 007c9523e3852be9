"""Redis: whether it answers, who may use it, what it may forget, and who else listens for orders."""

from __future__ import annotations

import ipaddress

from ordergate.bus.link import LIBRARY
from ordergate.bus.port import Channel
from ordergate.console.facts import ClockFacts, Facts, RedisClient, RedisFacts
from ordergate.console.finding import Finding, ok, unknown, unsafe, warn

# Time-outs are for a machine that stutters: where every answer takes as long, they end what is well.
_SHARE_OF_TIMEOUT = 0.5
_NOT_USED = "not used: a desk in one process needs none"
_CHANNEL = Channel.ORDER_MANAGEMENT.value


def reachable(facts: Facts) -> Finding:
    redis = facts.redis
    if isinstance(redis, RedisFacts):
        return ok(f"{redis.address} answers in {redis.round_trip_ms:.0f} ms")
    if not facts.redis_is_used:
        return ok(_NOT_USED)
    return unsafe(
        f"{facts.settings.redis.address} cannot be used: {redis}; no order is intercepted and no role hears another",
        "start Redis there, or correct REDIS_URL (or REDIS_HOST, REDIS_PORT, REDIS_DB)",
    )


def access(facts: Facts) -> Finding:
    """Whether somebody on another machine can publish orders there."""
    redis = facts.redis
    if isinstance(redis, str):
        return _unasked(facts)
    if not redis.open_to_all:
        return ok("it asks for a user or password")
    if isinstance(redis.config, str):
        return warn(
            f"it asks for no password, and whom it listens to cannot be read ({redis.config})",
            "set requirepass or an ACL user, and name it in REDIS_URL",
        )
    bound = redis.config.get("bind", "").split()
    if bound and all(_is_loopback(each) for each in bound):
        return ok("no password, and it listens on this machine only")
    where = f"bound to {' '.join(bound) or 'every address'}"
    if redis.config.get("protected-mode") == "yes":
        return warn(
            f"no password, {where}; only protected-mode keeps other machines out",
            "bind it to 127.0.0.1, or set a password and name it in REDIS_URL",
        )
    return unsafe(
        f"no password, {where}, protected-mode off: any machine that reaches it can publish orders",
        "bind it to 127.0.0.1, or set requirepass or an ACL user and name it in REDIS_URL",
    )


def memory(facts: Facts) -> Finding:
    """Whether it may throw away messages between the roles."""
    redis = facts.redis
    if isinstance(redis, str):
        return _unasked(facts)
    if isinstance(redis.config, str):
        return unknown(
            f"maxmemory-policy cannot be read ({redis.config})", "ask as its administrator: it must be noeviction"
        )
    policy, limit = redis.config.get("maxmemory-policy", ""), redis.config.get("maxmemory", "0")
    if not policy.startswith("allkeys"):
        return ok(f"maxmemory-policy {policy} evicts no stream of ours")
    todo = "CONFIG SET maxmemory-policy noeviction, and in its configuration file"
    if limit == "0":
        return warn(f"maxmemory-policy {policy} would evict our streams, once a maxmemory is set", todo)
    return unsafe(f"maxmemory {limit} with {policy}: it evicts what the roles have to tell each other", todo)


def listeners(facts: Facts) -> Finding:
    """Who hears the orders that are published: another executor there would carry them out unapproved."""
    redis = facts.redis
    if isinstance(redis, str):
        return _unasked(facts)
    if redis.listeners == 0 and redis.patterns == 0:
        return warn(
            f"nobody listens on {_CHANNEL}: what is published there is lost",
            "start the gate with this Redis (ordergate integration), and give existing clients the same REDIS_HOST",
        )
    if isinstance(redis.clients, str) or not any(client.library for client in redis.clients):
        why = redis.clients if isinstance(redis.clients, str) else "Redis tells its clients' libraries from 7.2 on"
        text = f"{redis.listeners} listen on {_CHANNEL}, and who cannot be told ({why})"
        return _deaf(facts) or unknown(
            text, "CLIENT LIST as its administrator: only ordergate may listen there, or orders are executed unapproved"
        )
    ours = [client for client in redis.clients if client.library.startswith(LIBRARY)]
    others = [client for client in redis.clients if client not in ours]
    patterns = [client for client in others if client.patterns]
    strangers = redis.listeners - sum(1 for client in ours if client.channels) + len(patterns)
    if strangers > 0:
        return _overheard(facts, strangers, [client for client in others if client.channels or client.patterns])
    alone = "" if others else "; no existing client is connected here, so none can publish here"
    return _deaf(facts) or ok(f"{redis.listeners} listen on {_CHANNEL}, all of them ordergate{alone}")


def _overheard(facts: Facts, count: int, suspects: list[RedisClient]) -> Finding:
    named = ", ".join(f"{client.name or 'no name'} at {client.address}" for client in suspects)
    text = f"{count} beside ordergate may hear {_CHANNEL}: {named}; what executes orders from there does so unapproved"
    if facts.live:
        return unsafe(text, "stop it; a page that only wants its answers listens on the other channels")
    return warn(text, "stop it before going live")


def _deaf(facts: Facts) -> Finding | None:
    """No gate is there. The other roles have a connection that hears every channel, and take no orders."""
    if facts.gate_modes is not None:
        return None
    return warn(
        f"no gate answers at {facts.at.gate}: what is published on {_CHANNEL} is taken by nobody of this desk",
        "start it: ordergate integration, or ordergate run --role aggregator",
    )


def timeouts(facts: Facts) -> Finding:
    """Measured answers against the time that the settings give them."""
    settings, slow, seen = facts.settings, [], []
    redis_ms = facts.redis.round_trip_ms if isinstance(facts.redis, RedisFacts) else None
    manager_ms = None if facts.manager.refused else facts.manager.took_ms
    broker_ms = facts.clock.round_trip_ms if isinstance(facts.clock, ClockFacts) else None
    measured = (
        ("Redis", redis_ms, settings.redis_timeout_ms, "redis_timeout_ms"),
        ("connection manager", manager_ms, settings.connection_manager_timeout_ms, "connection_manager_timeout_ms"),
        ("broker", broker_ms, settings.broker_timeout_ms, "broker_timeout_ms"),
    )
    for name, took_ms, timeout_ms, key in measured:
        if took_ms is None:
            continue
        seen.append(f"{name} {took_ms:.0f} of {timeout_ms} ms")
        if took_ms > timeout_ms * _SHARE_OF_TIMEOUT:
            slow.append(key)
    if not seen:
        return unknown("nothing answered that could be measured", "see the other lines")
    if slow:
        return warn(", ".join(seen), f"look at the network, or raise {', '.join(slow)} in [connections]")
    return ok(", ".join(seen))


def _unasked(facts: Facts) -> Finding:
    return unknown("Redis does not answer") if facts.redis_is_used else ok(_NOT_USED)


def _is_loopback(address: str) -> bool:
    name = address.removeprefix("-")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
