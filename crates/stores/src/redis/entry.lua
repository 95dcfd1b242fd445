-- KEYS: values by name. ARGV: offset, name. Answers what is there, unless it has expired.
local there = redis.call('HGET', KEYS[1], ARGV[2])
if not there then return false end
local expires = string.match(there, '^%d+ (%-?%d*) ')
if expires and expires ~= '' and tonumber(expires) <= now then return false end
return there
