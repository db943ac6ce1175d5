"""
Redis servers and their Sentinels.
"""

from __future__ import annotations

from pathlib import Path

from tests.integration.peers.bench import Bench, Program
from tests.ports import freePort


class Redis:
    """
    A Redis, in memory alone, on a port of 127.0.0.1.

    @ivar port: its TCP port, the same after each L{start}.
    @ivar program: its process; replaced by each L{start}.
    """

    def __init__(self, bench: Bench, options: tuple[str, ...]) -> None:
        self._bench = bench
        self._options = options
        self._directory = bench.path("redis")
        self._directory.mkdir()
        self.port = freePort()
        self.program: Program

    async def start(self) -> None:
        """
        Start it, and wait until it answers. What it held before is gone.
        """
        words = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(self._directory)]
        self.program = await self._bench.run("redis", "redis-server", *words, *self._options)
        await self.program.says("Ready to accept connections")

    async def command(self, *words: str) -> str:
        """
        What it answers to a command, as C{redis-cli} shows it.
        """
        program = await self._bench.run("redis-cli", "redis-cli", "-p", str(self.port), *words)
        if await program.ends():
            raise AssertionError(f"redis-cli failed:\n{program.output()}")
        # The first line of a log is the command itself.
        return program.output().partition("\n")[2].strip()


async def startRedis(bench: Bench, *options: str) -> Redis:
    """
    Start a Redis.

    @param options: of C{redis-server}, on top.
    """
    redis = Redis(bench, options)
    await redis.start()
    return redis


async def startReplica(bench: Bench, master: Redis) -> Redis:
    """
    Start a replica, and wait until it holds what its master holds.
    """
    replica = await startRedis(bench, "--replicaof", f"127.0.0.1 {master.port}")
    await replica.program.says("MASTER <-> REPLICA sync: Finished|Successful partial resync")
    return replica


async def startSentinel(bench: Bench, master: Redis, name: str) -> int:
    """
    Start a Sentinel that watches C{master} under C{name}; its port. It calls a master dead after a second.
    """
    port = freePort()
    path: Path = bench.path("sentinel.conf")
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"dir {bench.directory}",
        f"sentinel monitor {name} 127.0.0.1 {master.port} 1",
        f"sentinel down-after-milliseconds {name} 1000",
        f"sentinel failover-timeout {name} 3000",
    ]
    path.write_text("\n".join(lines) + "\n")
    program = await bench.run("sentinel", "redis-sentinel", path)
    await program.says(r"\+slave slave")
    return port
