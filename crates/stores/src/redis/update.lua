-- KEYS: record, queue of deadlines, not-befores that cover what is there, not-befores that cover what comes.
-- ARGV: offset, id, token of the row it was computed from, new row, 1 where it brings a security block, 1 where its
-- times count as they are, how many of the keys are of the first sort.
-- Answers the times that were kept, or 1 another row is there (and that row), 2 revoked, 3 gone.
local row, grants = ARGV[4], ARGV[5] == '1'
local there = redis.call('GET', KEYS[1])
if not there then return 3 end
if not whole(there) then return damaged() end
if string.sub(there, 2, 9) == string.sub(row, 2, 9) then return string.sub(there, 34, 57) end
local last = 2 + tonumber(ARGV[7])
if deadline(there) <= now or admitted(there) < not_before(3, last) then return 3 end
if string.sub(there, 2, 9) ~= ARGV[3] then return { 1, there } end
if grants and admitted(row) < not_before(last + 1) then return 2 end
if ARGV[6] ~= '1' then
  -- A touch came after it was computed: the later of each time stays.
  local idles, seens = string.sub(row, 34, 45), string.sub(row, 46, 57)
  if idle(there) > idle(row) then idles = string.sub(there, 34, 45) end
  if seen(there) > seen(row) then seens = string.sub(there, 46, 57) end
  row = string.sub(row, 1, 33) .. idles .. seens .. string.sub(row, 58)
end
redis.call('SET', KEYS[1], row)
expire(KEYS[1], deadline(row))
-- Where the deadline only moved on, the sweep looks at the record and puts it back.
if grants then redis.call('ZADD', KEYS[2], string.format('%.0f', deadline(row)), ARGV[2]) end
return string.sub(row, 34, 57)
