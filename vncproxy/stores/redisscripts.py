"""
What is kept in a Redis under which key, and the scripts that change it. Each script is one atomic step.

=========================  ======  ================================================================================
key, behind the prefix     type    holds
=========================  ======  ================================================================================
C{consoles}                hash    id → JSON: id, name, URL, password
C{token:HASH}              string  JSON: the record of a token, and the stamp of who wrote it last; it expires
C{tokens-of:CONSOLE}       set     hashes of a console's tokens; it expires with the last of them
C{expiry}                  zset    hashes of tokens, by the moment at which their time is over
C{sessions-of:PROXY}       set     hashes of tokens with live sessions on a proxy; expires as they do
C{keys}                    hash    hash of an API key → JSON
C{key-names}               hash    name of an API key → its hash
C{keys-used}               hash    hash of an API key → when it was last used
C{audit}                   zset    ids of the audit trail, all of score 0, so in the order of their texts
C{audit-of:CONSOLE}        zset    the same, of one console
C{audit-entries}           hash    id → JSON
=========================  ======  ================================================================================

Every script that changes something is told first by when it must run (C{ARGV[1]}, in seconds by the clock of Redis):
one that was held up on the way changes nothing, as nobody waits for it any more.
"""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Keys:
    """
    The names of all keys.

    @ivar prefix: what they begin with.
    """

    prefix: str

    @property
    def consoles(self) -> str:
        """
        The consoles.
        """
        return f"{self.prefix}consoles"

    @property
    def expiry(self) -> str:
        """
        The tokens by the end of their time.
        """
        return f"{self.prefix}expiry"

    def token(self, tokenHash: str) -> str:
        """
        One token; without a hash, what all of them begin with.
        """
        return f"{self.prefix}token:{tokenHash}"

    def tokensOf(self, consoleID: str) -> str:
        """
        The tokens of a console.
        """
        return f"{self.prefix}tokens-of:{consoleID}"

    def sessionsOf(self, proxy: str) -> str:
        """
        The tokens with sessions on a proxy.
        """
        return f"{self.prefix}sessions-of:{proxy}"

    @property
    def keys(self) -> str:
        """
        The API keys.
        """
        return f"{self.prefix}keys"

    @property
    def keyNames(self) -> str:
        """
        The names of API keys.
        """
        return f"{self.prefix}key-names"

    @property
    def keysUsed(self) -> str:
        """
        The last uses of API keys.
        """
        return f"{self.prefix}keys-used"

    @property
    def audit(self) -> str:
        """
        The audit trail in its order.
        """
        return f"{self.prefix}audit"

    def auditOf(self, consoleID: str) -> str:
        """
        The audit trail of one console; without an id, what all of them begin with.
        """
        return f"{self.prefix}audit-of:{consoleID}"

    @property
    def auditEntries(self) -> str:
        """
        The entries of the audit trail.
        """
        return f"{self.prefix}audit-entries"


_IN_TIME: Final = """
local time = redis.call('TIME')
if time[1] + time[2] / 1000000 > tonumber(ARGV[1]) then
    return redis.error_reply('LATE nobody waits for it any more')
end
"""

PUT_CONSOLE: Final = f"""{_IN_TIME}
return redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
"""
"""
KEYS: consoles. ARGV: by, id, JSON. Returns 1 for a new one.
"""

CONSOLES: Final = """
return '[' .. table.concat(redis.call('HVALS', KEYS[1]), ',') .. ']'
"""
"""
KEYS: consoles. Returns all of them as one JSON list: that is read faster than many answers.
"""

PUT_TOKEN: Final = f"""{_IN_TIME}
if ARGV[3] ~= '' then
    local held = redis.call('GET', KEYS[1])
    if held ~= ARGV[3] then
        return {{0, held}}
    end
end
local function join(set)
    redis.call('SADD', set, ARGV[2])
    if redis.call('PTTL', set) < tonumber(ARGV[5]) then
        redis.call('PEXPIRE', set, ARGV[5])
    end
end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[2])
if KEYS[3] ~= KEYS[4] then
    redis.call('SREM', KEYS[4], ARGV[2])
end
join(KEYS[3])
for index = 5, #KEYS do
    if index < 5 + ARGV[7] then
        join(KEYS[index])
    else
        redis.call('SREM', KEYS[index], ARGV[2])
    end
end
return {{1}}
"""
"""
Compare and set. KEYS: token, expiry, tokens-of its console, tokens-of its former console, sessions-of each proxy that
has some, sessions-of each proxy that has none any more. ARGV: by, hash, the JSON that must be there (empty: whatever
is), the new JSON, for how many milliseconds to keep it, the end of its time, how many proxies have sessions.

Returns [1], or [0, the JSON that is there].
"""

DELETE_TOKENS: Final = f"""{_IN_TIME}
local count = 0
for _, hash in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    count = count + redis.call('DEL', ARGV[2] .. hash)
    redis.call('ZREM', KEYS[2], hash)
end
redis.call('DEL', KEYS[1])
if KEYS[3] then
    return redis.call('HDEL', KEYS[3], ARGV[3])
end
return count
"""
"""
KEYS: tokens-of, expiry; and consoles to forget the console, too. ARGV: by, what keys of tokens begin with; and the
console's id. Returns how many tokens there were; and with consoles, 1 if there was the console.
"""

LIVE: Final = f"""{_IN_TIME}
local found = {{}}
for _, hash in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local key = ARGV[2] .. hash
    local held = redis.call('GET', key)
    if held then
        found[#found + 1] = held
        if redis.call('PTTL', key) < tonumber(ARGV[3]) then
            redis.call('PEXPIRE', key, ARGV[3])
        end
    else
        redis.call('SREM', KEYS[1], hash)
    end
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return found
"""
"""
KEYS: sessions-of. ARGV: by, what keys of tokens begin with, for how many milliseconds to keep them at least. Returns
the JSON of each.
"""

PAST: Final = f"""{_IN_TIME}
local found = {{}}
local hashes = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[3], 'LIMIT', ARGV[4], ARGV[5])
for _, hash in ipairs(hashes) do
    local held = redis.call('GET', ARGV[2] .. hash)
    if held then
        found[#found + 1] = held
    else
        redis.call('ZREM', KEYS[1], hash)
    end
end
return {{#hashes, found}}
"""
"""
KEYS: expiry. ARGV: by, what keys of tokens begin with, a moment, how many to pass over, how many to look at. Returns
how many were looked at, and the JSON of those whose time was over at that moment.
"""

FORGET: Final = f"""{_IN_TIME}
local count = 0
for index = 2, #KEYS, 2 do
    local place = index + 1
    if redis.call('GET', KEYS[index]) == ARGV[place] then
        count = count + redis.call('DEL', KEYS[index])
        redis.call('ZREM', KEYS[1], ARGV[place - 1])
        redis.call('SREM', KEYS[index + 1], ARGV[place - 1])
    end
end
return count
"""
"""
KEYS: expiry; and of each token itself and tokens-of its console. ARGV: by; and of each token its hash and the JSON that
must be there. Returns how many were forgotten.
"""

ADD_KEY: Final = f"""{_IN_TIME}
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3]) == 0 and redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] then
    return 0
end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
return 1
"""
"""
KEYS: keys, key-names. ARGV: by, name, hash, JSON. Returns 0 if another has the name.
"""

KEY: Final = """
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGET', KEYS[2], ARGV[1])}
"""
"""
KEYS: keys, keys-used. ARGV: hash. Returns the JSON and the last use of a key, nil for what there is not.
"""

ALL_KEYS: Final = """
local found = {}
for _, hash in ipairs(redis.call('HKEYS', KEYS[1])) do
    found[#found + 1] = redis.call('HGET', KEYS[1], hash)
    found[#found + 1] = redis.call('HGET', KEYS[2], hash)
end
return found
"""
"""
KEYS: keys, keys-used. Returns the same of every key, one behind the other.
"""

DELETE_KEY: Final = f"""{_IN_TIME}
local hash = redis.call('HGET', KEYS[2], ARGV[2])
if not hash then
    return 0
end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], hash)
return redis.call('HDEL', KEYS[1], hash)
"""
"""
KEYS: keys, key-names, keys-used. ARGV: by, name. Returns 0 if there was none.
"""

TOUCH_KEYS: Final = f"""{_IN_TIME}
for index = 2, #ARGV, 2 do
    local known = tonumber(redis.call('HGET', KEYS[2], ARGV[index]) or 0)
    if redis.call('HEXISTS', KEYS[1], ARGV[index]) == 1 and known < tonumber(ARGV[index + 1]) then
        redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1])
    end
end
"""
"""
KEYS: keys, keys-used. ARGV: by; and the hash of each key and when it was used.
"""

ADD_AUDIT: Final = f"""{_IN_TIME}
for index = 3, #KEYS do
    local place = 2 * (index - 2)
    if redis.call('HSETNX', KEYS[2], ARGV[place], ARGV[place + 1]) == 1 then
        redis.call('ZADD', KEYS[1], 0, ARGV[place])
        redis.call('ZADD', KEYS[index], 0, ARGV[place])
    end
end
"""
"""
KEYS: audit, audit-entries; and audit-of the console of each entry. ARGV: by; and the id and the JSON of each entry.
"""

AUDIT: Final = """
local ids = redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
if #ids == 0 then
    return ids
end
return redis.call('HMGET', KEYS[2], unpack(ids))
"""
"""
KEYS: audit or audit-of, audit-entries. ARGV: the highest id and the lowest one, each with a bracket before it, how
many. Returns the JSON of each, the highest first.
"""

PURGE_AUDIT: Final = f"""{_IN_TIME}
local ids = redis.call('ZRANGEBYLEX', KEYS[1], '-', ARGV[2], 'LIMIT', 0, ARGV[4])
for _, id in ipairs(ids) do
    local entry = redis.call('HGET', KEYS[2], id)
    if entry then
        redis.call('ZREM', ARGV[3] .. cjson.decode(entry).console, id)
        redis.call('HDEL', KEYS[2], id)
    end
    redis.call('ZREM', KEYS[1], id)
end
return #ids
"""
"""
KEYS: audit, audit-entries. ARGV: by, a bracket and the highest id, what keys of audit-of begin with, how many at most.
Returns how many were forgotten.
"""
