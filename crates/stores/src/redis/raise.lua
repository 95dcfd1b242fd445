-- KEYS: one not-before. ARGV: offset, epoch, how long it is kept. Answers what stood there before.
local before = redis.call('GET', KEYS[1])
if not before or tonumber(before) < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[2])
end
expire(KEYS[1], now + tonumber(ARGV[3]))
return before
