-- KEYS: record, queue of deadlines. ARGV: offset, id.
-- Answers the row that was past its deadline, or 1 it was not, 2 it is gone already, 3 it cannot be read.
local there = redis.call('GET', KEYS[1])
if not there then
  redis.call('ZREM', KEYS[2], ARGV[2])
  return 2
end
if not whole(there) then
  -- It stays for whoever wants to look at it; no sweep comes by again.
  redis.call('ZREM', KEYS[2], ARGV[2])
  return 3
end
if deadline(there) > now then
  redis.call('ZADD', KEYS[2], string.format('%.0f', deadline(there)), ARGV[2])
  return 1
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return there
