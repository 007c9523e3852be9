"""What happens in Redis at once or not at all, as scripts for its server (6.2 and later, for ``XTRIM MINID``).

A stream has one group for each consumer, and the group has one reader: the process whose token its owner key holds.
Newest wins. Without groups a stream keeps its last ``capacity`` messages, for a consumer that Redis has forgotten.

Each command of a script that Redis may refuse for want of memory comes first of those that write, so that a refused
script has done nothing. What frees memory is never refused.
"""

from __future__ import annotations

_STREAM = """
local stream = KEYS[1]

local function groups()
  local found = {}
  if redis.call('EXISTS', stream) == 0 then return found end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
    found[#found + 1] = group
  end
  return found
end

local function has(name, found)
  for _, group in ipairs(found or groups()) do
    if group.name == name then return true end
  end
  return false
end

local function split(id)
  local ms, n = string.match(id, '(%d+)-(%d+)')
  return tonumber(ms), tonumber(n)
end

-- The least that a group has yet to acknowledge, also where it has acknowledged something since it was asked for.
local function low(group)
  local pending = redis.call('XPENDING', stream, group.name)
  if pending[1] > 0 then return split(pending[2]) end
  local ms, n = split(group['last-delivered-id'])
  return ms, n + 1
end

-- Forget what every group has acknowledged.
local function trim(found)
  local low_ms, low_n
  for _, group in ipairs(found or groups()) do
    local ms, n = low(group)
    if not low_ms or ms < low_ms or (ms == low_ms and n < low_n) then low_ms, low_n = ms, n end
  end
  if low_ms then redis.call('XTRIM', stream, 'MINID', string.format('%.0f-%.0f', low_ms, low_n)) end
end

-- The token of the group's reader; false where there is none.
local function reader(group)
  return redis.call('GET', stream .. ':owner:' .. group.name)
end

local function read(name, from, count)
  local found = redis.call('XREADGROUP', 'GROUP', name, name, 'COUNT', count, 'STREAMS', stream, from)
  return found and found[1][2] or {}
end
"""

# KEYS stream, the sender's count. ARGV what the sender believes that count to be, number of the first message,
# capacity, receiver whose group is never given up or '', 'followed' where whoever is a full stream behind is given up,
# wake channel (of one process: this, ':' and its tokens' begin), topic, sender, number of this call, message...
# Answers {'sent' or 'count', how many were taken or the true count, first id that somebody has yet to read or '', last
# id in the stream or ''}. A call that comes after a later one, over a connection that its sender gave up, does nothing.
SEND = (
    _STREAM
    + """
local believed, first, capacity, call = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[9])
local receiver, followed = ARGV[4], ARGV[5] == 'followed'
local offered = #ARGV - 9

local function first_id()
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)
  return oldest[1] and oldest[1][1] or ''
end

local function last_id()
  local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  return newest[1] and newest[1][1] or ''
end

-- What was sent to the dead is not for those who come after them.
local function awaited(found)
  for _, group in ipairs(found) do
    if group.name == receiver or reader(group) then return true end
  end
  return false
end

local function answer(status, number, found, newest)
  return {status, number, awaited(found or groups()) and first_id() or '', newest or last_id()}
end

-- Who has read all there was waits to be woken; who has not reads on by himself.
local function wake(found, newest)
  local newest_ms, newest_n = split(newest)
  for _, group in ipairs(found) do
    local ms, n = split(group['last-delivered-id'])
    if not newest_ms or ms > newest_ms or (ms == newest_ms and n >= newest_n) then
      local token = reader(group)
      if token then redis.call('PUBLISH', ARGV[6] .. ':' .. string.match(token, '(.*)-'), ARGV[7]) end
    end
  end
end

-- Its reader has died without leaving, or is one of those who can ask for the state anew and must not be waited for.
local function given_up(group, oldest_ms, oldest_n)
  if group.name == receiver then return false end
  if not followed then return not reader(group) end
  local ms, n = low(group)
  return ms < oldest_ms or (ms == oldest_ms and n <= oldest_n)
end

local count, latest = string.match(redis.call('GET', KEYS[2]) or '0 0', '(%d+) (%d+)')
count = tonumber(count)
if call < tonumber(latest) then return {'late', 0, '', ''} end
redis.call('SET', KEYS[2], string.format('%.0f %.0f', count, call), 'EX', 86400)
if count ~= believed then return answer('count', count) end
if offered == 0 then return answer('sent', 0) end

local length = redis.call('XLEN', stream)
if length >= capacity or (followed and length > 0 and length + offered > capacity) then
  local oldest_ms, oldest_n = split(first_id())
  for _, group in ipairs(groups()) do
    if given_up(group, oldest_ms, oldest_n) then redis.call('XGROUP', 'DESTROY', stream, group.name) end
  end
  trim()
end
local found, newest = groups(), last_id()
local listened = #found > 0
local room = listened and math.max(0, math.min(offered, capacity - redis.call('XLEN', stream))) or offered
local before = newest
for i = 1, room do
  newest = redis.call('XADD', stream, '*', 's', ARGV[8], 'n', first + i - 1, 'm', ARGV[9 + i])
end
if room > 0 then
  redis.call('SET', KEYS[2], string.format('%.0f %.0f', first + room - 1, call), 'EX', 86400)
  if not listened then redis.call('XTRIM', stream, 'MAXLEN', capacity) end
  wake(found, before)
end
return answer('sent', room, found, newest)
"""
)

# KEYS stream, owner. ARGV token, consumer, lease in ms, where a group that is new begins: '$' or '0', 'anew' where the
# group that stands there is somebody's who has died, or ''.
# Answers {'new' or 'known'}.
JOIN = (
    _STREAM
    + """
if ARGV[5] == 'anew' and has(ARGV[2]) then redis.call('XGROUP', 'DESTROY', stream, ARGV[2]) end
local new = not has(ARGV[2])
if new then redis.call('XGROUP', 'CREATE', stream, ARGV[2], ARGV[4], 'MKSTREAM') end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
if ARGV[5] == 'anew' then trim() end
return {new and 'new' or 'known'}
"""
)

# KEYS stream. ARGV a consumer whose group shall be there, to begin with what the stream has.
EXPECT = (
    _STREAM
    + """
if not has(ARGV[1]) then redis.call('XGROUP', 'CREATE', stream, ARGV[1], '0', 'MKSTREAM') end
return {'expected'}
"""
)

# KEYS stream, owner. ARGV token, consumer, lease in ms, capacity, wake channel, topic, how many to read, from where
# ('>' is new ones), id that is done...
# Answers {'read', entries, how many are handed out and not acknowledged}, or {'taken'} by another reader, or {'gone'}:
# the reader must join again.
READ = (
    _STREAM
    + """
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return {'taken'} end
local found = groups()
if not owner or not has(ARGV[2], found) then return {'gone'} end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if #ARGV > 8 then
  local full = redis.call('XLEN', stream) >= tonumber(ARGV[4])
  for i = 9, #ARGV do redis.call('XACK', stream, ARGV[2], ARGV[i]) end
  trim(found)
  if full then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
end
local entries = ARGV[7] == '0' and {} or read(ARGV[2], ARGV[8], ARGV[7])
return {'read', entries, redis.call('XPENDING', stream, ARGV[2])[1]}
"""
)

# KEYS stream, owner. ARGV token, consumer, how many to read at most, wake channel, topic. Answers as READ, without
# the number.
LEAVE = (
    _STREAM
    + """
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return {'taken'} end
if not has(ARGV[2]) then return {'gone'} end
local rest = read(ARGV[2], '>', ARGV[3])
redis.call('XGROUP', 'DESTROY', stream, ARGV[2])
redis.call('DEL', KEYS[2])
trim()
redis.call('PUBLISH', ARGV[4], ARGV[5])
return {'read', rest}
"""
)
