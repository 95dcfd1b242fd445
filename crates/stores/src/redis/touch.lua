-- KEYS: record, not-befores. ARGV: offset, idle deadline and last use as they stand in a row.
-- Answers whether the session is there.
local there = redis.call('GET', KEYS[1])
if not there then return 0 end
if not whole(there) then return damaged() end
if deadline(there) <= now or admitted(there) < not_before(2) then return 0 end
if (struct.unpack('>i8', ARGV[2])) > idle(there) then
  redis.call('SETRANGE', KEYS[1], 33, ARGV[2])
  expire(KEYS[1], math.min(struct.unpack('>i8', there, 26), (struct.unpack('>i8', ARGV[2]))))
end
if (struct.unpack('>i8', ARGV[3])) > seen(there) then
  redis.call('SETRANGE', KEYS[1], 45, ARGV[3])
end
return 1
