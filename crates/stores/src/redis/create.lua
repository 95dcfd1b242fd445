-- KEYS: record, queue of deadlines, not-befores. ARGV: offset, id, row.
-- Answers 0 kept, 1 the id is taken, 2 revoked.
local row = ARGV[3]
local floor = not_before(3)
local there = redis.call('GET', KEYS[1])
if there then
  if not whole(there) then return damaged() end
  -- An earlier try of this very write, whose answer was lost.
  if string.sub(there, 2, 9) == string.sub(row, 2, 9) then return 0 end
  if deadline(there) > now then return 1 end
end
if admitted(row) < floor then return 2 end
redis.call('SET', KEYS[1], row)
expire(KEYS[1], deadline(row))
redis.call('ZADD', KEYS[2], string.format('%.0f', deadline(row)), ARGV[2])
return 0
