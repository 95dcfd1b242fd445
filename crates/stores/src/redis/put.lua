-- KEYS: values by name, names in order, names by expiry, revision. ARGV: offset, name, 'a'bsent or 'v'ersion or '*',
-- the version, the time it expires or '', 1 where there is a value, the value with its checksum.
-- Answers {1, version} or {0, what is there}.
local there = redis.call('HGET', KEYS[1], ARGV[2])
local at
if there then
  local found, expires = string.match(there, '^(%d+) (%-?%d*) ')
  if not found then return damaged() end
  at = found
  if expires ~= '' and tonumber(expires) <= now then there, at = false, nil end
end
local holds = ARGV[3] == '*' or (ARGV[3] == 'a' and not there) or (ARGV[3] == 'v' and at == ARGV[4])
if not holds then return { 0, there } end
local revision = redis.call('INCR', KEYS[4])
if ARGV[6] == '1' then
  redis.call('HSET', KEYS[1], ARGV[2], string.format('%.0f %s ', revision, ARGV[5]) .. ARGV[7])
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
  if ARGV[5] ~= '' then
    redis.call('ZADD', KEYS[3], ARGV[5], ARGV[2])
  else
    redis.call('ZREM', KEYS[3], ARGV[2])
  end
else
  redis.call('HDEL', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('ZREM', KEYS[3], ARGV[2])
end
return { 1, revision }
