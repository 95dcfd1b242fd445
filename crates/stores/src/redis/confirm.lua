-- KEYS: index, not-befores. ARGV: offset, id, admitted.
-- Answers 0 the place is still there, 1 it was given to another, 2 revoked.
if tonumber(ARGV[3]) < not_before(2) then return 2 end
local entry = redis.call('HGET', KEYS[1], ARGV[2])
if not entry or string.sub(entry, 1, 1) == 'e' then return 1 end
redis.call('HSET', KEYS[1], ARGV[2], 'c' .. string.sub(entry, 2))
return 0
