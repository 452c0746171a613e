"""What Redis does in one step each, as Lua. Amounts are whole units below 2^53, which Lua's numbers hold exactly.

Keys, all under a prefix that names the installation and the run of the server, all with an expiry:

| key | holds |
| --- | --- |
| h:HOLD | a hold: `l:LEASE` = what it takes of it, `o` its organization, `x` its end, `at`, `about`; or how it ended |
| l:LEASE | a lease: `a` what is available of it, `e` its budget epoch, `u` when it ends, `k` the key of its counter |
| k:COUNTER | a list of the counter's leases of which something is available |
| o:ORGANIZATION | its live holds, sorted by when they expire |
| e:ORGANIZATION | the newest budget epoch that was seen |

Times are milliseconds of the server's own clock, which is compared with itself alone.
"""

from __future__ import annotations

from hashlib import sha1
from typing import NamedTuple

KEPT_MS = 2 * 24 * 60 * 60 * 1000
"""Longer than any lease lives: so long an organization's epoch and its list of holds stay."""


class Script(NamedTuple):
    """A script, and the name that Redis has for it."""

    text: str
    sha: str


def _script(text: str) -> Script:
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

RESERVE = _script(
    _NOW
    + f"""
-- KEYS: hold, holds, epoch, then a counter per place.
-- ARGV: prefix, epoch, ttl, hold id, organization, admitted at, about, number of new leases,
--       an amount per place, then (place, lease, units, ends) per new lease.
local function told(kind, a, b)
    return string.format('%s %.0f %s %s', kind, now, a or '', b or '')
end
local known = redis.call('HGETALL', KEYS[1])
if #known > 0 then
    local parts, ends, at = {{}}, '0', ''
    for i = 1, #known, 2 do
        if known[i] == 'ended' then
            return told(known[i + 1])
        elseif known[i] == 'x' then
            ends = known[i + 1]
        elseif known[i] == 'at' then
            at = known[i + 1]
        elseif string.sub(known[i], 1, 2) == 'l:' then
            table.insert(parts, string.sub(known[i], 3) .. '=' .. known[i + 1])
        end
    end
    table.sort(parts)
    return told('held', ends, table.concat(parts, ',') .. ' ' .. at)
end
local epoch, ttl, places = tonumber(ARGV[2]), tonumber(ARGV[3]), #KEYS - 3
local seen = tonumber(redis.call('GET', KEYS[3]) or '-1')
if epoch < seen then
    return told('stale')
elseif epoch > seen then
    redis.call('SET', KEYS[3], epoch, 'PX', {KEPT_MS})
end
local at = 9 + places
for _ = 1, tonumber(ARGV[8]) do
    local counter, lease, units, ends = KEYS[3 + ARGV[at]], ARGV[1] .. 'l:' .. ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    if tonumber(ends) > now then
        redis.call('HSET', lease, 'a', units, 'e', epoch, 'u', ends, 'k', counter)
        redis.call('PEXPIREAT', lease, ends)
        redis.call('RPUSH', counter, ARGV[at + 1])
        if redis.call('PTTL', counter) < ends - now then
            redis.call('PEXPIREAT', counter, ends)
        end
    end
    at = at + 4
end
local chosen, lacking, ends = {{}}, {{}}, nil
for place = 1, places do
    local amount, is_idle = tonumber(ARGV[8 + place]), 0
    for _, id in ipairs(redis.call('LRANGE', KEYS[3 + place], 0, -1)) do
        local lease = redis.call('HMGET', ARGV[1] .. 'l:' .. id, 'a', 'e', 'u')
        if not lease[1] then
            redis.call('LREM', KEYS[3 + place], 1, id)
        elseif tonumber(lease[1]) >= amount and tonumber(lease[2]) == epoch and now + ttl <= tonumber(lease[3]) then
            chosen[place] = id
            ends = math.min(ends or tonumber(lease[3]), tonumber(lease[3]))
            break
        else
            is_idle = 1
        end
    end
    if not chosen[place] then
        table.insert(lacking, place .. '=' .. is_idle)
    end
end
if #lacking > 0 then
    return told('lacking', table.concat(lacking, ','))
end
local expires, parts = string.format('%.0f', now + ttl), {{}}
local fields = {{'o', ARGV[5], 'x', expires, 'at', ARGV[6], 'about', ARGV[7]}}
for place = 1, places do
    local amount = tonumber(ARGV[8 + place])
    if redis.call('HINCRBY', ARGV[1] .. 'l:' .. chosen[place], 'a', -amount) == 0 then
        redis.call('LREM', KEYS[3 + place], 1, chosen[place])
    end
    table.insert(fields, 'l:' .. chosen[place])
    table.insert(fields, ARGV[8 + place])
    table.insert(parts, chosen[place] .. '=' .. ARGV[8 + place])
end
table.sort(parts)
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('PEXPIREAT', KEYS[1], ends)
redis.call('ZADD', KEYS[2], expires, ARGV[4])
redis.call('PEXPIRE', KEYS[2], {KEPT_MS})
return told('granted', expires, table.concat(parts, ','))
"""
)
"""From all counters or from none. Answers in one text: `granted` or `held` (it was before), the time, when it expires,
what it takes of which leases, and, of the latter, when it was admitted; `lacking`, the time, and the places with
whether some of their leases have a rest; `stale`; or how the hold has ended."""

END = _script(
    """
-- ARGV: prefix, how they ended, then holds.
local ended = 0
for at = 3, #ARGV do
    local hold = ARGV[1] .. 'h:' .. ARGV[at]
    local fields = redis.call('HGETALL', hold)
    local parts, organization = {}, nil
    for i = 1, #fields, 2 do
        if string.sub(fields[i], 1, 2) == 'l:' then
            parts[string.sub(fields[i], 3)] = tonumber(fields[i + 1])
        elseif fields[i] == 'o' then
            organization = fields[i + 1]
        end
    end
    if organization then
        for id, units in pairs(ARGV[2] == 'settled' and {} or parts) do
            local lease = ARGV[1] .. 'l:' .. id
            local counter = redis.call('HGET', lease, 'k')
            if counter and redis.call('HINCRBY', lease, 'a', units) == units then
                local lives = redis.call('PTTL', lease)
                redis.call('RPUSH', counter, id)
                if redis.call('PTTL', counter) < lives then
                    redis.call('PEXPIRE', counter, lives)
                end
            end
        end
        local left = redis.call('PTTL', hold)
        redis.call('DEL', hold)
        redis.call('HSET', hold, 'ended', ARGV[2])
        redis.call('PEXPIRE', hold, math.max(left, 1000))
        redis.call('ZREM', ARGV[1] .. 'o:' .. organization, ARGV[at])
        ended = ended + 1
    end
end
return ended
"""
)
"""End holds, once: those that are settled have used up what they held, of others it goes back; how many were live."""

IDLE = _script(
    """
-- ARGV: prefix, '1' to take it or '' to look, then leases.
local found = {}
for i = 3, #ARGV do
    local lease = ARGV[1] .. 'l:' .. ARGV[i]
    local available = redis.call('HMGET', lease, 'a', 'k')
    found[i - 2] = tonumber(available[1] or '-1')
    if ARGV[2] == '1' and found[i - 2] > 0 then
        redis.call('HSET', lease, 'a', 0)
        redis.call('LREM', available[2], 1, ARGV[i])
    end
end
return found
"""
)
"""What is available of each lease, -1 where one is not known; taken away from it, if asked for."""

RENEW = _script(
    _NOW
    + """
-- ARGV: prefix, hold id, ttl, until when its leases may be made to live (0: as they are).
local key = ARGV[1] .. 'h:' .. ARGV[2]
local fields = redis.call('HGETALL', key)
local leases, expires, organization, ends = {}, nil, nil, nil
for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'l:' then
        table.insert(leases, string.sub(fields[i], 3))
    elseif fields[i] == 'o' then
        organization = fields[i + 1]
    elseif fields[i] == 'x' then
        expires = tonumber(fields[i + 1])
    end
end
if not organization or expires <= now then
    return {'unknown', now}
end
local wanted = math.max(expires, now + tonumber(ARGV[3]))
for _, id in ipairs(leases) do
    local lease, until_ = ARGV[1] .. 'l:' .. id, tonumber(ARGV[4])
    local lives = tonumber(redis.call('HGET', lease, 'u') or '0')
    if lives == 0 then
        return {'unknown', now}
    end
    if lives < wanted and until_ >= wanted then
        redis.call('HSET', lease, 'u', until_)
        redis.call('PEXPIREAT', lease, until_)
        lives = until_
    end
    ends = math.min(ends or lives, lives)
end
if ends < wanted then
    return {'short', now, leases}
end
redis.call('HSET', key, 'x', string.format('%.0f', wanted))
redis.call('PEXPIREAT', key, ends)
redis.call('ZADD', ARGV[1] .. 'o:' .. organization, wanted, ARGV[2])
return {'renewed', now, wanted}
"""
)
"""Let a hold live longer, if its leases do: they must outlive it."""

HOLDS = _script(
    _NOW
    + """
-- KEYS: holds. ARGV: prefix, '1' for those that have expired or '' for all, the most.
local most = ARGV[2] == '1' and now or '+inf'
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', most, 'LIMIT', 0, ARGV[3])) do
    local fields = redis.call('HGETALL', ARGV[1] .. 'h:' .. id)
    if #fields <= 2 then
        redis.call('ZREM', KEYS[1], id)
    else
        table.insert(found, {id, fields})
    end
end
return found
"""
)
"""An organization's holds, the first to expire first; what is no hold any more leaves the list."""

HOLD = _script("return redis.call('HGETALL', KEYS[1])")
"""One hold, as it is."""

EPOCH = _script(
    f"""
-- KEYS: epoch. ARGV: epoch.
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or '-1') then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', {KEPT_MS})
end
return 1
"""
)
"""Budgets were changed: no lease of an older epoch admits any more."""
