-- Stands before every script. ARGV[1] is how far our time is ahead of the server's: 0 outside of tests.
local offset = tonumber(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + offset
-- How long a key outlives the deadline of what it holds, so that a sweep finds and names it.
local MARGIN = 3600000

-- Numbers in the head of a row; see row.rs.
local function version(row) return (struct.unpack('>I8', row, 10)) end
local function admitted(row) return (struct.unpack('>I8', row, 18)) end
local function idle(row) return (struct.unpack('>i8', row, 34)) end
local function seen(row) return (struct.unpack('>i8', row, 46)) end
local function deadline(row) return math.min(struct.unpack('>i8', row, 26), idle(row)) end
local function owner(row)
  return string.sub(row, 64, 63 + struct.unpack('>I2', row, 62))
end

local function whole(row)
  return #row >= 63 and string.byte(row, 1) == 0xc1 and #row >= 63 + struct.unpack('>I2', row, 62)
end

-- The latest of the not-befores that stand under KEYS[from] to KEYS[to], or to the last.
local function not_before(from, to)
  local latest = 0
  for at = from, to or #KEYS do
    local epoch = redis.call('GET', KEYS[at])
    if epoch then latest = math.max(latest, tonumber(epoch)) end
  end
  return latest
end

-- Gives the memory of a key back some time after `time` of our clock.
local function expire(key, time)
  local at = time - offset + MARGIN
  if at < 4e15 then
    redis.call('PEXPIREAT', key, string.format('%.0f', at))
  else
    redis.call('PERSIST', key)
  end
end

local function damaged() return redis.error_reply('DAMAGED a row cannot be read') end

